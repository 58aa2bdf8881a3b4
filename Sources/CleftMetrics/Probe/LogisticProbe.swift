import CleftTensor
import Foundation

/// Logistic regression with a penalty on the squared weights.
///
/// `C · Σ cross-entropy + ½ · ‖w‖²` is made least; intercepts are free. Where a sample has one of several classes there is one
/// softmax over them (of two classes one sigmoid), where each class is a question of its own a sigmoid each, and rows of
/// which nobody knows whether they have a class do not count for it.
///
/// A class that no row has, or all have, cannot be learned: its score is that of its share among the rows, half a row being
/// added to what there is none of.
///
/// - Numerics: float64; equals scikit-learn's `LogisticRegression` at a tight tolerance, on standardized features.
public struct LogisticProbe: Sendable {
  /// A fit of one strength.
  public struct Fit: Sendable {
    /// The classifier.
    public let probe: LinearProbe
    /// Newton steps it took.
    public let steps: Int
    /// The largest slope of the loss by a weight, at the end.
    public let gradientNorm: Double
    /// Whether the minimum was reached.
    public let isConverged: Bool
    fileprivate let inner: [Double]
  }

  private let rows: StandardizedRows
  private let targets: ProbeTargets
  /// Classes that can be learned.
  private let classes: [Int]
  /// The one column is the second of two classes.
  private let isBinary: Bool
  private let loss: LogisticLoss
  private let gram: [Double]

  /// Sums up rows, for fits of any strength.
  public init(_ rows: StandardizedRows, _ targets: ProbeTargets) {
    precondition(rows.count == targets.count, "logistic: \(rows.count) rows, \(targets.count) targets")
    (self.rows, self.targets) = (rows, targets)
    let isSoftmax = targets.question == .oneOf
    classes = (0..<targets.classCount).filter { label in
      let counts = targets.counts(of: label)
      return counts.with > 0 && (isSoftmax || counts.without > 0)
    }
    isBinary = isSoftmax && classes.count == 2
    loss = LogisticLoss(
      targets, classes: isBinary ? [classes[1]] : classes, isSoftmax: isSoftmax && !isBinary)
    gram = classes.count > (isSoftmax ? 1 : 0) ? rows.gram() : []
  }

  /// Classes that no row has or, where each is a question of its own, that none is known to lack.
  public var unlearnable: [Int] { (0..<targets.classCount).filter { !classes.contains($0) } }

  /// The weights of one strength, above 0: the inverse of the penalty's factor.
  ///
  /// - Parameter start: a fit of another strength to the same rows, to go on from.
  public func fit(c: Double, from start: Fit? = nil) -> Fit {
    precondition(c > 0 && c.isFinite, "logistic: C \(c)")
    guard !gram.isEmpty else {
      return Fit(
        probe: probe([]), steps: 0, gradientNorm: 0, isConverged: true, inner: [])
    }
    var newton = LogisticNewton(
      rows, loss, gram: gram, penalty: 1 / c, start: start?.inner ?? shares())
    newton.run()
    return Fit(
      probe: probe(newton.weights), steps: newton.steps, gradientNorm: newton.gradientNorm,
      isConverged: newton.isConverged, inner: newton.weights)
  }

  /// No weights, and intercepts that give each class its share.
  private func shares() -> [Double] {
    var weights = [Double](repeating: 0, count: rows.width * loss.columns)
    let counts = loss.columnCounts
    var logs = counts.map { loss.isSoftmax ? log($0.with) : log($0.with / $0.without) }
    if loss.isSoftmax {
      let mean = logs.reduce(0, +) / Double(logs.count)
      logs = logs.map { $0 - mean }
    }
    for (column, value) in logs.enumerated() { weights[weights.count - loss.columns + column] = value }
    return weights
  }

  /// The classifier of all classes from the weights of those learned.
  private func probe(_ inner: [Double]) -> LinearProbe {
    let (width, count) = (rows.width, targets.classCount)
    var weights = [Double](repeating: 0, count: width * count)
    for feature in 0..<(inner.isEmpty ? 0 : width) {
      for column in 0..<loss.columns {
        let weight = inner[feature * loss.columns + column]
        if isBinary {
          weights[feature * count + classes[0]] = -weight / 2
          weights[feature * count + classes[1]] = weight / 2
        } else {
          weights[feature * count + classes[column]] = weight
        }
      }
    }
    for label in unlearnable {
      let counts = targets.counts(of: label)
      // Scores of the others are 0 in the mean.
      weights[(width - 1) * count + label] =
        targets.question == .oneOf
        ? -log(2 * Double(max(targets.count, 1)))
        : log((Double(counts.with) + 0.5) / (Double(counts.without) + 0.5))
    }
    return LinearProbe(scale: rows.scale, question: targets.question, classCount: count, weights: weights)
  }
}
