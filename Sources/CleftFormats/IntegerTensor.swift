import CleftTensor
import Foundation

/// Integers on their way from one file to another: counters, masks, indices.
public struct IntegerTensor: Sendable {
  /// Key in the file.
  public let key: String
  /// Shape in the file.
  public let shape: Shape
  /// Type in the file.
  public let dtype: DType
  private let values: [Int]

  /// Collects the values of a key.
  ///
  /// - Throws: `FormatError.malformed` if they are no integers.
  public init(_ key: String, of file: any WeightsFile) throws(FormatError) {
    self.key = key
    values = try file.integers(key)
    shape = file.entries[key]?.shape ?? [values.count]
    dtype = file.entries[key]?.dtype ?? .int64
  }

  /// Takes values in row-major order, each within the type's range.
  public init(_ key: String, _ shape: Shape, _ values: [Int], dtype: DType = .int64) {
    precondition(
      shape.count == values.count, "integers \(key): \(values.count) values for shape [\(shape)]")
    precondition(!dtype.isFloatingPoint, "integers \(key): \(dtype.rawValue)")
    self.key = key
    self.shape = shape
    self.dtype = dtype
    self.values = values
  }

  /// The values as the file holds them, little-endian.
  var bytes: Data {
    var data = Data(capacity: values.count * dtype.byteCount)
    for value in values {
      withUnsafeBytes(of: Int64(value).littleEndian) { data.append(contentsOf: $0.prefix(dtype.byteCount)) }
    }
    return data
  }
}
