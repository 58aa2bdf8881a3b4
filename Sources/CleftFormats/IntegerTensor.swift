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

  /// The values as the file holds them, little-endian.
  var bytes: Data {
    var data = Data(capacity: values.count * dtype.byteCount)
    for value in values {
      withUnsafeBytes(of: Int64(value).littleEndian) { data.append(contentsOf: $0.prefix(dtype.byteCount)) }
    }
    return data
  }
}
