import CleftTensor
import Foundation

/// One tensor in a weights file: type, shape and where its bytes lie.
public struct TensorEntry: Sendable, Equatable {
  /// Type in the file.
  public let dtype: DType
  /// Shape in the file.
  public let shape: Shape
  /// First byte in the file.
  public let offset: Int
  /// Number of bytes.
  public var byteCount: Int { shape.count * dtype.byteCount }
}

/// Reads a safetensors file: 8 bytes of header length, a JSON header, then the tensors' bytes.
///
/// The file is mapped; float32 tensors are views of the mapping, others are converted when asked for.
/// - Source: huggingface/safetensors, format description.
public struct SafeTensorsFile {
  /// Where the file lies.
  public let path: String
  /// Tensors by key.
  public let entries: [String: TensorEntry]
  /// The header's `__metadata__`.
  public let metadata: [String: String]
  private let file: MappedFile

  /// Maps a file and checks its header whole: types, shapes, ranges, overlaps.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` naming the tensor.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    file = try MappedFile(path)
    let hint = "The file is damaged or is no safetensors file; fetch or write it again."
    guard file.count >= 8 else {
      throw .malformed(
        Problem(path, found: "\(file.count) bytes", expected: "a header of 8 bytes", hint: hint))
    }
    let length = Int(clamping: UInt64(littleEndian: file.base.loadUnaligned(as: UInt64.self)))
    guard length <= file.count - 8, length <= 100_000_000 else {
      throw .malformed(
        Problem(
          path, found: "a header of \(length) bytes in a file of \(file.count)", expected: "a shorter one",
          hint: hint))
    }
    let header = Data(bytes: file.base + 8, count: length)
    guard let json = try? JSONSerialization.jsonObject(with: header) as? [String: Any] else {
      throw .malformed(Problem(path, found: "a header that is not JSON", hint: hint))
    }
    var entries: [String: TensorEntry] = [:]
    for (key, value) in json where key != "__metadata__" {
      guard let entry = Self.entry(value, dataStart: 8 + length, fileEnd: file.count) else {
        throw .malformed(
          Problem(
            "\(path): \(key)", found: "a wrong type, shape or byte range", expected: "bytes within the file",
            hint: hint))
      }
      entries[key] = entry
    }
    let ordered = entries.sorted {
      ($0.value.offset, $0.value.byteCount) < ($1.value.offset, $1.value.byteCount)
    }
    for (a, b) in zip(ordered, ordered.dropFirst()) where a.value.offset + a.value.byteCount > b.value.offset
    {
      throw .malformed(
        Problem("\(path): \(b.key)", found: "bytes that overlap those of \(a.key)", hint: hint))
    }
    self.entries = entries
    metadata = json["__metadata__"] as? [String: String] ?? [:]
  }

  /// The file's stamp when it was opened; nil for a key that it does not have.
  public func stamp(of key: String) -> FileStamp? { entries[key] == nil ? nil : file.stamp }

  /// A tensor as float32.
  ///
  /// - Throws: `FormatError.malformed` if there is no such key or it holds integers.
  public func tensor(_ key: String) throws(FormatError) -> Tensor {
    let entry = try entry(key)
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    if entry.dtype == .float32, entry.offset % 4 == 0 {
      return Tensor(entry.shape, storage: file.storage(at: entry.offset, byteCount: entry.byteCount))
    }
    guard entry.dtype.isFloatingPoint else {
      throw .malformed(
        Problem("\(path): \(key)", found: "type \(entry.dtype.rawValue)", expected: "a floating type"))
    }
    let result = Tensor(uninitialized: entry.shape)
    result.withMutablePointer { Conversion.widen(bytes, entry.dtype, count: entry.shape.count, into: $0) }
    return result
  }

  /// An integer tensor's values in row-major order.
  public func integers(_ key: String) throws(FormatError) -> [Int] {
    let entry = try entry(key)
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    let count = entry.shape.count
    guard let numbers = Conversion.integers(bytes, entry.dtype, sizes: [count], strides: [1]) else {
      throw .malformed(
        Problem("\(path): \(key)", found: "type \(entry.dtype.rawValue)", expected: "integers"))
    }
    return numbers
  }

  /// A tensor's float64 values in row-major order.
  public func doubles(_ key: String) throws(FormatError) -> [Double] {
    let entry = try entry(key)
    if entry.dtype != .float64 { return try tensor(key).array.map(Double.init) }
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    return (0..<entry.shape.count).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
  }

  private func entry(_ key: String) throws(FormatError) -> TensorEntry {
    guard let entry = entries[key] else { throw noSuchTensor(key) }
    return entry
  }

  private static func entry(_ value: Any, dataStart: Int, fileEnd: Int) -> TensorEntry? {
    guard let fields = value as? [String: Any],
      let dtype = (fields["dtype"] as? String).flatMap(DType.init(rawValue:)),
      let dimensions = fields["shape"] as? [Int], dimensions.allSatisfy({ $0 >= 0 }),
      let range = fields["data_offsets"] as? [Int], range.count == 2, range[0] >= 0, range[1] >= range[0],
      range[1] <= fileEnd - dataStart
    else { return nil }
    var bytes = dtype.byteCount
    for extent in dimensions {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      bytes = product
    }
    guard bytes == range[1] - range[0] else { return nil }
    return TensorEntry(dtype: dtype, shape: Shape(dimensions), offset: dataStart + range[0])
  }
}
