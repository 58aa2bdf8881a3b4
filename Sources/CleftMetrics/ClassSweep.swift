/// One class's samples by falling probability, packed so that a pass over them with other weights takes little time.
///
/// Gives what `RankedScores` gives, bit by bit where weights are whole numbers, all of it in one pass over little memory: what
/// a thousand draws of a large set need.
package struct ClassSweep: Sendable {
  /// What one pass finds.
  package struct Result {
    /// Area under the ROC curve, and average precision; nil without both kinds.
    package var auc, averagePrecision: Double?
    /// What becomes of the samples at each threshold.
    package var counts: [ThresholdCounts] = []
  }

  /// Four times the sample's number, plus 2 if it has the class, plus 1 if the next one's probability is lower.
  private let codes: [UInt32]
  /// Samples that are at least as likely as each threshold.
  private let cuts: [Int]
  /// Thresholds by rising cut.
  private let cutOrder: [Int]
  /// Whether all probabilities that count are numbers.
  private let isNumber: Bool

  package init(_ scored: ScoredTable, class index: Int, thresholds: [Double]) {
    let (width, count) = (scored.table.classCount, scored.table.count)
    precondition(count < 1 << 30, "sweep: \(count) samples")
    let ranks = scored.table.question == .each ? scored.table.logits : scored.probabilities
    var places = (0..<count).filter { scored.truths[$0 * width + index] != .unknown }
      .map { (score: ranks[$0 * width + index], sample: $0) }
    isNumber = !places.contains { $0.score.isNaN }
    if !isNumber { places = [] }
    places.sort { $0.score > $1.score || ($0.score == $1.score && $0.sample < $1.sample) }
    codes = places.indices.map { place in
      let sample = places[place].sample
      let isLast = place + 1 == places.count || places[place + 1].score != places[place].score
      let isPositive = scored.truths[sample * width + index] == .yes
      return UInt32(sample) << 2 | (isPositive ? 2 : 0) | (isLast ? 1 : 0)
    }
    cuts = thresholds.map { threshold in
      places.firstIndex { scored.probabilities[$0.sample * width + index] < threshold } ?? places.count
    }
    let cuts = cuts
    cutOrder = cuts.indices.sorted { (cuts[$0], $0) < (cuts[$1], $1) }
  }

  /// Goes over the samples once, each as often as its weight says; nil where a probability is no number.
  package func run(_ weights: [Double]) -> Result? {
    guard isNumber else { return nil }
    var sums = Sums()
    var passed = [(positive: Double, negative: Double)](repeating: (0, 0), count: cuts.count)
    var start = 0
    for cut in cutOrder {
      sums.add(codes[start..<cuts[cut]], weights)
      passed[cut] = (sums.positive, sums.negative)
      start = cuts[cut]
    }
    sums.add(codes[start...], weights)
    var result = Result()
    if sums.positive > 0 && sums.negative > 0 {
      result.auc = sums.area / (sums.positive * sums.negative)
      result.averagePrecision = sums.precision / sums.positive
    }
    result.counts = passed.map { passed in
      ThresholdCounts(
        truePositive: passed.positive, falseNegative: sums.positive - passed.positive,
        falsePositive: passed.negative, trueNegative: sums.negative - passed.negative)
    }
    return result
  }

  /// Weights so far, and the areas under what they draw.
  private struct Sums {
    var (positive, negative) = (0.0, 0.0)
    var (area, precision) = (0.0, 0.0)
    /// Weights at the last threshold.
    private var (positives, negatives) = (0.0, 0.0)

    mutating func add(_ codes: ArraySlice<UInt32>, _ weights: [Double]) {
      for code in codes {
        let weight = weights[Int(code >> 2)]
        if code & 2 != 0 { positive += weight } else { negative += weight }
        if code & 1 == 0 { continue }
        // Without a new positive no precision is added, without a new negative no area.
        if positive != positives { precision += (positive - positives) * (positive / (positive + negative)) }
        if negative != negatives { area += (negative - negatives) * (positive + positives) / 2 }
        (positives, negatives) = (positive, negative)
      }
    }
  }
}
