/// Scores of one yes-or-no question, sorted once, so that every number about them takes one pass, however the samples
/// are weighted.
///
/// A sample of weight 0 is not there, one of weight 2 is there twice: a draw of a bootstrap is a list of weights. Equal
/// scores are one threshold. Numbers are nil and curves are empty where they are undefined: without both kinds of
/// samples, with a score that is no number, with weights that are negative or no finite numbers.
///
/// - Numerics: sums in Double from the highest score down, equal scores in the order given.
/// - Source: matches scikit-learn 1.9 `roc_auc_score`, `average_precision_score`, `roc_curve` and
///   `precision_recall_curve`, which leave samples of weight 0 out too. Fawcett 2006, "An introduction to ROC
///   analysis".
public struct RankedScores: Sendable {
  /// Samples that were given, and weights that are expected.
  public let count: Int

  /// The distinct scores, falling; scores that are apart only before they were rounded stand there once each.
  public let thresholds: [Double]

  /// Known samples, by falling score.
  private let order: [Int]
  /// Whether each of them is positive.
  private let isPositive: [Bool]
  /// Behind the last place of each threshold.
  private let ends: [Int]
  /// Known samples whose score is no number.
  private let unordered: [Int]

  /// Weights of the samples of either kind.
  struct Totals {
    var positive, negative: Double
    var areBothThere: Bool { positive > 0 && negative > 0 }
  }

  /// Sorts scores.
  ///
  /// - Parameters:
  ///   - scores: one a sample, higher for a likelier yes.
  ///   - isPositive: whether yes is right.
  ///   - isKnown: whether `isPositive` can be believed; samples of which it cannot are left out, but have a place among
  ///     the weights. Nil: all can.
  ///   - ranks: what scores were rounded from, to sort by. Nil: the scores.
  public init(scores: [Double], isPositive: [Bool], isKnown: [Bool]? = nil, ranks: [Double]? = nil) {
    let ranks = ranks ?? scores
    precondition(
      scores.count == isPositive.count && scores.count == (isKnown ?? isPositive).count
        && scores.count == ranks.count,
      "ranked scores: \(scores.count) scores for \(isPositive.count) samples")
    let known = scores.indices.filter { isKnown?[$0] ?? true }
    var places = known.filter { !scores[$0].isNaN }.map { (score: ranks[$0], sample: $0) }
    places.sort { $0.score > $1.score || ($0.score == $1.score && $0.sample < $1.sample) }
    let ends = places.indices.filter {
      $0 + 1 == places.count || places[$0 + 1].score != places[$0].score
    }
    count = scores.count
    order = places.map(\.sample)
    self.isPositive = places.map { isPositive[$0.sample] }
    thresholds = ends.map { scores[places[$0].sample] }
    self.ends = ends.map { $0 + 1 }
    unordered = known.filter { scores[$0].isNaN }
  }

  /// Probability that a positive scores above a negative, ties counting half: the trapezoidal area under the ROC curve.
  public func auc(weights: [Double]? = nil) -> Double? {
    var (area, positives, negatives) = (0.0, 0.0, 0.0)
    let totals = sweep(weights) { _, positive, negative in
      area += (negative - negatives) * (positive + positives) / 2
      (positives, negatives) = (positive, negative)
    }
    guard let totals, totals.areBothThere else { return nil }
    return finite(area / (totals.positive * totals.negative))
  }

  /// Mean of the precision at each threshold, weighted by the recall that the threshold adds; no interpolation.
  public func averagePrecision(weights: [Double]? = nil) -> Double? {
    var (sum, positives) = (0.0, 0.0)
    let totals = sweep(weights) { _, positive, negative in
      sum += (positive - positives) * (positive / (positive + negative))
      positives = positive
    }
    guard let totals, totals.areBothThere else { return nil }
    return finite(sum / totals.positive)
  }

  /// Weights of both kinds; nil if something is no number.
  func totals(_ weights: [Double]?) -> Totals? { sweep(weights) { _, _, _ in } }

  /// Goes down the thresholds that samples are left at.
  ///
  /// - Parameter body: called with the threshold and the weights of the positives and of the negatives that score at
  ///   least as much.
  /// - Returns: the weights of all; nil if something is no number, and then what `body` was told is void.
  @inline(__always)
  func sweep(_ weights: [Double]?, _ body: (Double, Double, Double) -> Void) -> Totals? {
    guard let weights else { return sweep(weight: { _ in 1 }, body) }
    precondition(weights.count == count, "ranked scores: \(weights.count) weights for \(count) samples")
    return weights.withUnsafeBufferPointer { weights in sweep(weight: { weights[$0] }, body) }
  }

  @inline(__always)
  private func sweep(weight: (Int) -> Double, _ body: (Double, Double, Double) -> Void) -> Totals? {
    var totals = Totals(positive: 0, negative: 0)
    var place = 0
    for (end, threshold) in zip(ends, thresholds) {
      var isThere = false
      while place < end {
        let weight = weight(order[place])
        guard weight >= 0 else { return nil }
        if isPositive[place] { totals.positive += weight } else { totals.negative += weight }
        isThere = isThere || weight > 0
        place += 1
      }
      if isThere { body(threshold, totals.positive, totals.negative) }
    }
    guard unordered.allSatisfy({ weight($0) == 0 }) else { return nil }
    return (totals.positive + totals.negative).isFinite ? totals : nil
  }

  private func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
}
