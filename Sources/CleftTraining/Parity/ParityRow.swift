import CleftFormats

/// The comparison of one expected tensor.
public struct ParityRow: Codable, Sendable {
  /// What is compared.
  public let name: String
  /// Largest difference over the largest expected magnitude; infinite for what was not produced.
  public let relativeError: Double
  /// Largest difference that passes, relative likewise.
  public let allowed: Double
  /// Whether the difference is within bounds; false also for what was not produced.
  public let passes: Bool

  init(name: String, relativeError: Double, allowed: Double, passes: Bool) {
    self.name = name
    self.relativeError = relativeError
    self.allowed = allowed
    self.passes = passes
  }

  /// Compares values of one tensor.
  init(_ name: String, expected: [Double], found: [Double]?, tolerance: Double) {
    guard let found, found.count == expected.count else {
      self.init(name: name, relativeError: .infinity, allowed: tolerance, passes: false)
      return
    }
    let (largest, difference) = Self.difference(expected, found)
    let error = difference / max(largest, 1e-30)
    self.init(name: name, relativeError: error, allowed: tolerance, passes: error <= tolerance)
  }

  /// The largest expected magnitude and the largest difference; what is not a number differs infinitely.
  static func difference(_ expected: [Double], _ found: [Double]) -> (largest: Double, difference: Double) {
    var (largest, difference) = (0.0, 0.0)
    for (x, y) in zip(expected, found) {
      largest = max(largest, abs(x))
      difference = max(difference, (x - y).isNaN ? .infinity : abs(x - y))
    }
    return (largest, difference)
  }
}

/// Every kind of fixture, told apart by the files in its folder.
public enum ParityCatalog {
  /// Compares one fixture folder.
  ///
  /// - Parameters:
  ///   - tolerance: largest relative error.
  ///   - weights: a file to take a pair's weights from instead of the fixture's own.
  public static func rows(_ folder: String, tolerance: Double, weights: String?) throws -> [ParityRow] {
    for (mark, compare) in kinds where FileSystem.exists("\(folder)/\(mark)") {
      return try compare(folder, tolerance, weights)
    }
    return try ParityRun(folder: folder, tolerance: tolerance, weights: weights).rows
  }

  private typealias Comparison = @Sendable (String, Double, String?) throws -> [ParityRow]

  /// A file that only one kind has, and how that kind is compared.
  private static let kinds: [(mark: String, compare: Comparison)] = [
    ("base_config.json", { folder, tolerance, _ in try TextTowerParity(folder, tolerance).rows }),
    ("image_config.json", { folder, tolerance, _ in try ImageTowerParity(folder, tolerance).rows }),
    ("tiny.ckpt", { folder, tolerance, _ in try CheckpointParity(folder, tolerance).rows }),
    ("goldens.json", { folder, _, _ in try TokenizerParity(folder).rows }),
  ]
}
