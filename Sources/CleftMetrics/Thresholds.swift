/// What became of the samples of one yes-or-no question at one threshold; weights, which are numbers of samples where
/// nothing was weighted.
public struct ThresholdCounts: Codable, Sendable, Equatable {
  /// Positives that were found, and that were missed.
  public var truePositive, falseNegative: Double
  /// Negatives that were taken for positives, and that were not.
  public var falsePositive, trueNegative: Double

  /// Makes counts.
  public init(truePositive: Double, falseNegative: Double, falsePositive: Double, trueNegative: Double) {
    (self.truePositive, self.falseNegative) = (truePositive, falseNegative)
    (self.falsePositive, self.trueNegative) = (falsePositive, trueNegative)
  }

  /// Share of the positives that were found (recall); nil without positives.
  public var sensitivity: Double? { share(truePositive, falseNegative) }

  /// Share of the negatives that were told to be negative; nil without negatives.
  public var specificity: Double? { share(trueNegative, falsePositive) }

  /// Share of the yeses that were right; nil without any yes.
  public var precision: Double? { share(truePositive, falsePositive) }

  /// Harmonic mean of precision and sensitivity; nil with neither a positive nor a yes.
  public var f1: Double? { share(2 * truePositive, falsePositive + falseNegative) }

  /// Sensitivity + specificity - 1; nil without both kinds.
  ///
  /// - Source: Youden 1950, "Index for rating diagnostic tests".
  public var youden: Double? {
    sensitivity.flatMap { sensitivity in specificity.map { sensitivity + $0 - 1 } }
  }

  private func share(_ part: Double, _ rest: Double) -> Double? {
    part + rest > 0 ? part / (part + rest) : nil
  }
}

/// What a threshold is to make largest.
public enum ThresholdRule: String, CaseIterable, Codable, Sendable {
  /// The F1 score of yes.
  case f1
  /// Youden's index, sensitivity + specificity - 1.
  case youden

  /// The best of all thresholds that are scores, the highest of equally good ones, where a score of at least the
  /// threshold counts as yes; nil without samples of both kinds.
  public func best(_ ranked: RankedScores) -> (threshold: Double, value: Double)? {
    guard let totals = ranked.totals(nil), totals.areBothThere else { return nil }
    let (positives, negatives) = (totals.positive, totals.negative)
    var best: (threshold: Double, value: Double)?
    // The best above the threshold, all scores of which count as yes.
    var above = best
    var last = Double.nan
    _ = ranked.sweep(nil) { threshold, positive, negative in
      // Whole numbers over one denominator, or one division: equally good thresholds give equal bits.
      let value =
        switch self {
        case .f1: 2 * positive / (positive + negative + positives)
        case .youden: (positive * negatives - negative * positives) / (positives * negatives)
        }
      if threshold == last { best = above } else { (above, last) = (best, threshold) }
      if value > best?.value ?? -.infinity { best = (threshold, value) }
    }
    return best
  }
}
