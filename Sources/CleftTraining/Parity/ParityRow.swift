import CleftFormats
import Foundation

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
  ///
  /// - Parameter scale: what the error is relative to; nil takes the largest expected magnitude.
  init(_ name: String, expected: [Double], found: [Double]?, scale: Double? = nil, tolerance: Double) {
    guard let found, found.count == expected.count else {
      self.init(name: name, relativeError: .infinity, allowed: tolerance, passes: false)
      return
    }
    let (largest, difference) = Self.difference(expected, found)
    let error = difference / (scale ?? max(largest, 1e-30))
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
  /// Compares a pair's outputs, loss and gradients under bfloat16 products with PyTorch's own bfloat16 error.
  ///
  /// - Parameters:
  ///   - bounds: PyTorch's errors against float64, `{fixture: {tensor: {"rms_err": …, "rms": …}}}`.
  ///   - factor: how many times PyTorch's root mean square error is allowed.
  public static func halfRows(_ folder: String, bounds: String, factor: Double) throws -> [ParityRow] {
    let data = try FileSystem.read(bounds)
    let name = (folder as NSString).lastPathComponent
    guard let all = try? JSONDecoder().decode([String: [String: HalfError]].self, from: data),
      let errors = all[name]
    else { throw TrainingError.badData(Problem(bounds, found: "no errors of \(name)")) }
    return try ParityRun(folder: folder, tolerance: 1, halfErrors: errors, factor: factor).rows
  }

  /// Compares one fixture folder.
  ///
  /// - Parameters:
  ///   - tolerance: largest relative error.
  ///   - weights: a file to take a pair's weights from instead of the fixture's own.
  public static func rows(_ folder: String, tolerance: Double, weights: String?) throws -> [ParityRow] {
    let names = FileSystem.list(folder)
    for (isKind, compare) in kinds where isKind(names) { return try compare(folder, tolerance, weights) }
    return try ParityRun(folder: folder, tolerance: tolerance, weights: weights).rows
  }

  private typealias Comparison = @Sendable (String, Double, String?) throws -> [ParityRow]

  /// What the names in a folder of each kind are like, and how it is compared; a pair of towers is what is left.
  private static let kinds: [(isKind: @Sendable ([String]) -> Bool, compare: Comparison)] = [
    (
      { $0.contains("base_config.json") },
      { folder, tolerance, _ in try TextTowerParity(folder, tolerance).rows }
    ),
    (
      { $0.contains("image_config.json") },
      { folder, tolerance, _ in try ImageTowerParity(folder, tolerance).rows }
    ),
    ({ $0.contains("goldens.json") }, { folder, _, _ in try TokenizerParity(folder).rows }),
    (
      { $0.contains("expected.json") && $0.contains { $0.hasSuffix(".ckpt") } },
      { folder, tolerance, _ in try CheckpointParity(folder, tolerance).rows }
    ),
    ({ $0.contains(where: ImageParity.isPicture) }, { folder, _, _ in try ImageParity(folder).rows }),
  ]
}

/// PyTorch's bfloat16 error on one tensor, against float64.
struct HalfError: Decodable {
  /// Root mean square of the differences, and of the values.
  var rms_err, rms: Double
}
