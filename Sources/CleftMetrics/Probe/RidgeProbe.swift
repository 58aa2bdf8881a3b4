import CleftTensor

/// Linear regression of +1 for a class and -1 for the others, with a penalty on the squared weights.
///
/// `Σ (z·w + b - y)² + alpha · ‖w‖²` is made least for each class, in closed form; the intercept is free. Of two classes there
/// is one regression, whose score with the sign turned is the other's. Rows of which nobody knows whether they have a class
/// do not count for it.
///
/// - Numerics: float64; equals scikit-learn's `RidgeClassifier` on standardized features.
public struct RidgeProbe: Sendable {
  /// Classes that the same rows count for.
  private struct System: Sendable {
    let columns: [Int]
    /// `Zᵀ·Z`, below and on the diagonal.
    let gram: [Double]
    /// `Zᵀ·Y` `[width, columns]`.
    let right: [Double]
  }

  private let scale: FeatureScale
  private let targets: (question: PredictionTable.Question, classCount: Int)
  private let systems: [System]
  /// Whether the one column of the systems is the second class's, and the first one's turned round.
  private let isBinary: Bool

  /// Sums up rows, for fits of any strength.
  public init(_ rows: StandardizedRows, _ targets: ProbeTargets) {
    precondition(rows.count == targets.count, "ridge: \(rows.count) rows, \(targets.count) targets")
    scale = rows.scale
    self.targets = (targets.question, targets.classCount)
    isBinary = targets.question == .oneOf && targets.classCount == 2
    let classes = isBinary ? [1] : Array(0..<targets.classCount)
    // Classes that the same rows are unknown of share a matrix.
    var byRows: [[Int]: [Int]] = [:]
    for label in classes {
      byRows[targets.unknown.indices.filter { targets.unknown[$0].contains(label) }, default: []].append(
        label)
    }
    systems = byRows.sorted { $0.value[0] < $1.value[0] }.map { unknown, labels in
      var known = [Double](repeating: 1, count: rows.count)
      for row in unknown { known[row] = 0 }
      let signs = (0..<rows.count).flatMap { row in
        labels.map { label in known[row] * (targets.labels[row].contains(label) ? 1 : -1) }
      }
      return System(
        columns: labels, gram: rows.gram(weights: unknown.isEmpty ? nil : known),
        right: rows.sums(signs, columns: labels.count))
    }
  }

  /// The weights under a penalty, above 0.
  public func fit(alpha: Double) -> LinearProbe {
    precondition(alpha > 0 && alpha.isFinite, "ridge: alpha \(alpha)")
    let (width, count) = (scale.columns.count + 1, targets.classCount)
    var weights = [Double](repeating: 0, count: width * count)
    for system in systems {
      var matrix = system.gram
      for feature in 0..<width - 1 { matrix[feature * width + feature] += alpha }
      // Nobody knows anything of these classes: they are neither likely nor unlikely.
      if matrix[width * width - 1] == 0 { continue }
      guard let factored = SymmetricSystem(lower: matrix, order: width) else {
        preconditionFailure("ridge: alpha \(alpha) is too small for \(width) columns")
      }
      var solution = system.right
      factored.solve(&solution, columns: system.columns.count)
      for feature in 0..<width {
        for (place, label) in system.columns.enumerated() {
          let weight = solution[feature * system.columns.count + place]
          weights[feature * count + label] = weight
          if isBinary { weights[feature * count] = -weight }
        }
      }
    }
    return LinearProbe(scale: scale, question: targets.question, classCount: count, weights: weights)
  }
}
