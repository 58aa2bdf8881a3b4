/// How often classes occur, alone and together.
public struct LabelStatistics: Sendable, Equatable, Codable {
  /// Class names, in class order.
  public var classNames: [String]
  /// Rows with each class.
  public var counts: [Int]
  /// Rows with class `i` and class `j`; on the diagonal, rows with the class.
  ///
  /// - Shapes: `[K][K]`.
  public var together: [[Int]]
  /// Rows without any class.
  public var unlabeledCount: Int

  /// Counts the labels of samples.
  public init(_ samples: [Sample], classNames: [String]) {
    self.classNames = classNames
    let classCount = classNames.count
    var together = Array(repeating: Array(repeating: 0, count: classCount), count: classCount)
    unlabeledCount = 0
    for sample in samples {
      let labels = Set(sample.labels.filter((0..<classCount).contains))
      if labels.isEmpty { unlabeledCount += 1 }
      for first in labels {
        for second in labels { together[first][second] += 1 }
      }
    }
    self.together = together
    counts = together.indices.map { together[$0][$0] }
  }
}
