extension RankedScores {
  /// ROC curve from (0, 0) to (1, 1): shares of the negatives (x) and of the positives (y) that score at least as
  /// much as each threshold, by falling threshold.
  ///
  /// - Parameters:
  ///   - weights: one a sample, in the order they were given in. Nil: all count alike.
  ///   - keepsAll: also keep points between two equal steps, which change neither the line nor its area.
  /// - Source: scikit-learn's `roc_curve` with `drop_intermediate = !keepsAll`.
  public func roc(weights: [Double]? = nil, keepsAll: Bool = false) -> [CurvePoint] {
    guard let (steps, totals) = steps(weights) else { return [] }
    let corners = steps.indices.filter { place in
      if keepsAll || place == 0 || place == steps.count - 1 { return true }
      let (before, here, after) = (steps[place - 1], steps[place], steps[place + 1])
      return after.positive - here.positive != here.positive - before.positive
        || after.negative - here.negative != here.negative - before.negative
    }
    return [CurvePoint(0, 0)]
      + corners.map { CurvePoint(steps[$0].negative / totals.negative, steps[$0].positive / totals.positive) }
  }

  /// Precision over recall by falling threshold, from the point (0, 1) that stands for no yes at all.
  ///
  /// Recall never falls. Each precision holds for the stretch of recall to its left: the area of these steps is the
  /// average precision.
  ///
  /// - Parameters:
  ///   - weights: one a sample, in the order they were given in. Nil: all count alike.
  ///   - keepsAll: also keep points inside a vertical line, which have no width.
  /// - Source: scikit-learn's `precision_recall_curve` from its last point to its first, with
  ///   `drop_intermediate = !keepsAll`.
  public func precisionRecall(weights: [Double]? = nil, keepsAll: Bool = false) -> [CurvePoint] {
    guard let (steps, totals) = steps(weights) else { return [] }
    let corners = steps.indices.filter { place in
      if keepsAll || place == 0 || place == steps.count - 1 { return true }
      return steps[place].positive != steps[place - 1].positive
        || steps[place].positive != steps[place + 1].positive
    }
    return [CurvePoint(0, 1)]
      + corners.map { place in
        let (positive, negative) = steps[place]
        return CurvePoint(positive / totals.positive, positive / (positive + negative))
      }
  }

  /// What becomes of the samples if a score of at least `threshold` counts as yes; nil without samples.
  public func counts(threshold: Double, weights: [Double]? = nil) -> ThresholdCounts? {
    var (positives, negatives) = (0.0, 0.0)
    let totals = sweep(weights) { score, positive, negative in
      if score >= threshold { (positives, negatives) = (positive, negative) }
    }
    guard let totals, totals.positive + totals.negative > 0, !threshold.isNaN else { return nil }
    return ThresholdCounts(
      truePositive: positives, falseNegative: totals.positive - positives, falsePositive: negatives,
      trueNegative: totals.negative - negatives)
  }

  /// Weights at or above each threshold, and all of them; nil without both kinds.
  private func steps(_ weights: [Double]?) -> (steps: [(positive: Double, negative: Double)], totals: Totals)?
  {
    var steps: [(positive: Double, negative: Double)] = []
    steps.reserveCapacity(thresholds.count)
    let totals = sweep(weights) { _, positive, negative in steps.append((positive, negative)) }
    guard let totals, totals.areBothThere else { return nil }
    return (steps, totals)
  }
}
