import CleftTensor

/// A linear classifier of features: one score for each class.
public struct LinearProbe: Sendable, Equatable {
  /// What features are brought to before they are multiplied.
  public let scale: FeatureScale
  /// What is asked of a sample.
  public let question: PredictionTable.Question
  /// Classes `K`.
  public let classCount: Int
  /// A row for each feature of the scale, and the intercepts behind them `[columns + 1, K]`.
  public let weights: [Double]

  init(
    scale: FeatureScale, question: PredictionTable.Question, classCount: Int, weights: [Double]
  ) {
    precondition(
      weights.count == (scale.columns.count + 1) * classCount, "probe: \(weights.count) weights")
    (self.scale, self.question, self.classCount) = (scale, question, classCount)
    self.weights = weights
  }

  /// The intercept of each class.
  package var intercepts: [Double] { Array(weights.suffix(classCount)) }

  /// Weights of a class, one for each feature of the scale.
  package func coefficients(of label: Int) -> [Double] {
    scale.columns.indices.map { weights[$0 * classCount + label] }
  }

  /// Scores of some rows of features: what a softmax or sigmoids are taken of.
  ///
  /// - Shapes: `[rows, K]`.
  public func logits(_ features: FeatureMatrix, rows: [Int]) -> [Double] {
    StandardizedRows(features, rows: rows, scale: scale).products(weights, columns: classCount)
  }
}
