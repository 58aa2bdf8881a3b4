/// How often what was said to be so likely came true.
///
/// A probability on the edge of two bins is in the lower one. A sample of weight 0 is not there.
///
/// - Source: bins match scikit-learn 1.9 `calibration_curve`; the error is that of Guo et al. 2017, arXiv 1706.04599,
///   §2, whose bins exclude their lower edge too.
public struct CalibrationCurve: Sendable, Equatable {
  /// Where the edges of bins are.
  public enum Strategy: String, CaseIterable, Sendable {
    /// At equal distances from 0 to 1.
    case uniform
    /// At quantiles of the probabilities, interpolated linearly; whatever is there counts once, of whichever weight.
    case quantile
  }

  /// Bins by rising probability, empty ones left out.
  public let bins: [ReliabilityBin]
  /// Expected calibration error: mean over samples of the distance between mean probability and observed share in their
  /// bin.
  public let expectedError: Double

  /// The curve of one yes-or-no question.
  ///
  /// Nil without samples, if a probability is outside 0 … 1 or no number, and if a weight is negative or no finite
  /// number.
  ///
  /// - Parameters:
  ///   - probabilities: of yes, one a sample.
  ///   - outcomes: whether it came true.
  ///   - strategy: where the edges are.
  ///   - binCount: bins, with those that turn out empty.
  ///   - weights: one a sample. Nil: all count alike.
  public init?(
    probabilities: [Double], outcomes: [Bool], strategy: Strategy = .uniform, binCount: Int = 10,
    weights: [Double]? = nil
  ) {
    precondition(
      probabilities.count == outcomes.count && probabilities.count == (weights?.count ?? outcomes.count),
      "calibration: \(probabilities.count) probabilities, \(outcomes.count) outcomes, "
        + "\(weights?.count ?? outcomes.count) weights")
    let present = probabilities.indices.filter { (weights?[$0] ?? 1) != 0 }
    if present.isEmpty || present.contains(where: { probabilities[$0].isNaN }) { return nil }
    var tally = BinTally(
      edges: strategy == .uniform
        ? BinTally.uniformEdges(binCount)
        : BinTally.quantileEdges(present.map { probabilities[$0] }.sorted(), binCount))
    for place in present { tally.add(probabilities[place], outcomes[place], weights?[place] ?? 1) }
    self.init(tally)
  }

  /// The curve of a table: of the likeliest class's probability, or of all known cells where each class is a question
  /// of its own; nil where it is undefined.
  ///
  /// - Parameters:
  ///   - scored: the predictions.
  ///   - binCount: bins of equal width, with those that turn out empty; 15 in Guo et al.
  ///   - weights: one a sample. Nil: all count alike.
  public init?(_ scored: ScoredTable, binCount: Int = 15, weights: [Double]? = nil) {
    let (table, width) = (scored.table, scored.table.classCount)
    var tally = BinTally(edges: BinTally.uniformEdges(binCount))
    let isValid = scored.forEachRow(weights) { row, weight in
      if table.question == .oneOf {
        let answer = scored.predictions[row]
        return tally.add(scored.probabilities[row * width + answer], answer == table.labels[row][0], weight)
      }
      for place in row * width..<(row + 1) * width where scored.truths[place] != .unknown {
        tally.add(scored.probabilities[place], scored.truths[place] == .yes, weight)
      }
    }
    guard isValid else { return nil }
    self.init(tally)
  }

  private init?(_ tally: BinTally) {
    guard tally.isValid, tally.weight > 0, tally.weight.isFinite else { return nil }
    bins = tally.bins.indices.filter { tally.bins[$0].count > 0 }.map { index in
      let bin = tally.bins[index]
      return ReliabilityBin(
        lower: tally.edges[index], upper: tally.edges[index + 1], count: bin.count,
        meanProbability: bin.probability / bin.weight, observedShare: bin.outcome / bin.weight)
    }
    expectedError = tally.bins.reduce(0) { $0 + abs($1.outcome - $1.probability) } / tally.weight
  }
}

/// Sums of the samples in each bin of probabilities.
private struct BinTally {
  struct Bin {
    var count = 0
    var weight = 0.0
    var probability = 0.0
    var outcome = 0.0
  }

  /// Ends of the bins, one more than there are bins.
  let edges: [Double]
  var bins: [Bin]
  var weight = 0.0
  /// Whether all that was added lies in 0 … 1 and has a weight above 0.
  var isValid = true

  init(edges: [Double]) {
    self.edges = edges
    bins = [Bin](repeating: Bin(), count: edges.count - 1)
  }

  /// NumPy's `linspace(0, 1, binCount + 1)`, bit by bit: what lies on an edge depends on it.
  static func uniformEdges(_ binCount: Int) -> [Double] {
    precondition(binCount > 0, "calibration: \(binCount) bins")
    let step = 1 / Double(binCount)
    return (0..<binCount).map { Double($0) * step } + [1]
  }

  /// NumPy's `percentile(sorted, 100 * linspace(0, 1, binCount + 1))`, bit by bit.
  static func quantileEdges(_ sorted: [Double], _ binCount: Int) -> [Double] {
    uniformEdges(binCount).map { quantile in
      let place = Double(sorted.count - 1) * (quantile * 100 / 100)
      guard place < Double(sorted.count - 1) else { return sorted[sorted.count - 1] }
      let index = Int(place)
      let (below, above, part) = (sorted[index], sorted[index + 1], place - Double(index))
      let width = above - below
      return part >= 0.5 ? above - width * (1 - part) : below + width * part
    }
  }

  mutating func add(_ probability: Double, _ outcome: Bool, _ weight: Double) {
    guard probability >= 0, probability <= 1, weight > 0 else { return isValid = false }
    // The number of inner edges that lie below.
    var (low, high) = (1, edges.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if edges[middle] < probability { low = middle + 1 } else { high = middle }
    }
    bins[low - 1].count += 1
    bins[low - 1].weight += weight
    bins[low - 1].probability += weight * probability
    bins[low - 1].outcome += outcome ? weight : 0
    self.weight += weight
  }
}
