/// One row of float32 numbers for each sample.
public struct FeatureMatrix: Sendable {
  /// Numbers `[n, width]`, row by row.
  public let values: [Float]
  /// Numbers of a row.
  public let width: Int

  /// Makes a matrix; every number must be finite.
  public init(values: [Float], width: Int) {
    precondition(
      width > 0 && values.count % width == 0, "features: \(values.count) numbers in rows of \(width)")
    (self.values, self.width) = (values, width)
  }

  /// Rows `n`.
  public var count: Int { values.count / width }
}

/// Mean and standard deviation of each feature over some rows; features that are the same in all of them stay out.
///
/// - Numerics: sums in float64, in an order that does not depend on the number of threads.
public struct FeatureScale: Sendable, Equatable {
  /// Columns that stay in, ascending.
  public let columns: [Int]
  /// Of each column that stays in.
  public let means, deviations: [Double]
  /// Columns of the features, those that stay out included.
  public let width: Int

  /// Columns that stay out.
  public var droppedCount: Int { width - columns.count }

  /// Measures some rows of features, each of which may come several times.
  public init(_ features: FeatureMatrix, rows: [Int]) {
    let width = features.width
    self.width = width
    let sums = Self.sums(features, rows) { value, _ in value }
    let means = sums.map { $0 / Double(max(rows.count, 1)) }
    let squares = Self.sums(features, rows) { value, column in
      (value - means[column]) * (value - means[column])
    }
    let varies = Self.varies(features, rows)
    columns = (0..<width).filter { varies[$0] }
    self.means = columns.map { means[$0] }
    deviations = columns.map { (squares[$0] / Double(rows.count)).squareRoot() }
  }

  /// Rows of one partial sum.
  private static let chunk = 2048

  private static func sums(
    _ features: FeatureMatrix, _ rows: [Int], _ term: (_ value: Double, _ column: Int) -> Double
  ) -> [Double] {
    let (width, count) = (features.width, (rows.count + chunk - 1) / chunk)
    var partial = [Double](repeating: 0, count: count * width)
    features.values.withUnsafeBufferPointer { values in
      partial.withUnsafeMutableBufferPointer { partial in
        spread(count) { part in
          for row in rows[part * chunk..<min((part + 1) * chunk, rows.count)] {
            for column in 0..<width {
              partial[part * width + column] += term(Double(values[row * width + column]), column)
            }
          }
        }
      }
    }
    var sums = [Double](repeating: 0, count: width)
    for part in 0..<count { for column in 0..<width { sums[column] += partial[part * width + column] } }
    return sums
  }

  private static func varies(_ features: FeatureMatrix, _ rows: [Int]) -> [Bool] {
    let width = features.width
    var varies = [Bool](repeating: false, count: width)
    guard let first = rows.first else { return varies }
    features.values.withUnsafeBufferPointer { values in
      for row in rows {
        for column in 0..<width where values[row * width + column] != values[first * width + column] {
          varies[column] = true
        }
      }
    }
    return varies
  }
}
