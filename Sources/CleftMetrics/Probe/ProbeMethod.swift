import Foundation

/// What a linear probe makes least.
public enum ProbeMethod: String, Codable, Sendable, CaseIterable {
  /// Cross-entropy: probabilities can be taken at their word.
  case logistic
  /// Squared distance from +1 and -1.
  case ridge

  /// What the number that sets its penalty is called: the inverse of the penalty's factor, or the factor.
  public var strengthName: String { self == .logistic ? "C" : "alpha" }

  /// Strengths tried first, the largest penalty first.
  public var grid: [Double] {
    stride(from: -6, through: 2, by: 1).map { self == .logistic ? pow(10, $0) : pow(10, -$0) }
  }

  /// The strength where nothing can be held out to choose one; scikit-learn's.
  public var usualStrength: Double { 1 }

  /// The sum of what is made least, and over how many rows (or rows and classes asked by themselves) of which the truth is
  /// known.
  ///
  /// - Parameter logits: scores `[n, K]`.
  package func loss(_ logits: [Double], _ targets: ProbeTargets) -> (sum: Double, count: Int) {
    var (sum, count) = (0.0, 0)
    for row in 0..<targets.count {
      let scores = logits[row * targets.classCount..<(row + 1) * targets.classCount]
      if self == .logistic, targets.question == .oneOf {
        let top = scores.max() ?? 0
        let normalizer = log(scores.reduce(0) { $0 + exp($1 - top) }) + top
        sum += normalizer - scores[scores.startIndex + (targets.labels[row].first ?? 0)]
        count += 1
        continue
      }
      for (label, score) in scores.enumerated() {
        guard let has = targets.has(row, label) else { continue }
        let distance = score - (has ? 1 : -1)
        sum +=
          self == .ridge ? distance * distance : max(score, 0) - (has ? score : 0) + log1p(exp(-abs(score)))
        count += 1
      }
    }
    return (sum, count)
  }
}
