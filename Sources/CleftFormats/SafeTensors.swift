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
    result.withMutablePointer { out in
      for i in 0..<entry.shape.count {
        switch entry.dtype {
        case .bfloat16:
          out[i] = float(fromBFloat16: bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
        case .float16: out[i] = Float(bytes.loadUnaligned(fromByteOffset: 2 * i, as: Float16.self))
        case .float64: out[i] = Float(bytes.loadUnaligned(fromByteOffset: 8 * i, as: Double.self))
        default: out[i] = bytes.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
        }
      }
    }
    return result
  }

  /// An integer tensor's values in row-major order.
  public func integers(_ key: String) throws(FormatError) -> [Int] {
    let entry = try entry(key)
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    return try (0..<entry.shape.count).map { i throws(FormatError) in
      switch entry.dtype {
      case .int64: return Int(bytes.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self))
      case .int32: return Int(bytes.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self))
      case .int16: return Int(bytes.loadUnaligned(fromByteOffset: 2 * i, as: Int16.self))
      case .uint8, .bool: return Int(bytes.load(fromByteOffset: i, as: UInt8.self))
      case .int8: return Int(bytes.load(fromByteOffset: i, as: Int8.self))
      default:
        throw .malformed(
          Problem("\(path): \(key)", found: "type \(entry.dtype.rawValue)", expected: "integers"))
      }
    }
  }

  /// A tensor's float64 values in row-major order.
  public func doubles(_ key: String) throws(FormatError) -> [Double] {
    let entry = try entry(key)
    if entry.dtype != .float64 { return try tensor(key).array.map(Double.init) }
    let bytes = UnsafeRawPointer(file.base + entry.offset)
    return (0..<entry.shape.count).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
  }

  private func entry(_ key: String) throws(FormatError) -> TensorEntry {
    if let entry = entries[key] { return entry }
    let near = nearestNames(to: key, among: entries.keys).joined(separator: ", ")
    throw .malformed(Problem("\(path): \(key)", found: "no such tensor", hint: "Nearest: \(near)."))
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

/// Writes a safetensors file.
public enum SafeTensorsWriter {
  /// Writes float32 tensors, beside their place and renamed; keys in the order given.
  public static func write(
    _ tensors: [(key: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
  ) throws(FormatError) {
    var header: [String] = []
    if !metadata.isEmpty { header.append("\"__metadata__\":\(jsonText(metadata))") }
    var offset = 0
    for (key, tensor) in tensors {
      let end = offset + tensor.count * 4
      header.append(
        "\(jsonText(key)):{\"dtype\":\"F32\",\"shape\":\(tensor.shape.dimensions),\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    var text = Data("{\(header.joined(separator: ","))}".utf8)
    while (text.count + 8) % 64 != 0 { text.append(UInt8(ascii: " ")) }
    try FileSystem.write(to: path) { handle in
      var length = UInt64(text.count).littleEndian
      try handle.write(contentsOf: Data(bytes: &length, count: 8) + text)
      for (_, tensor) in tensors {
        try tensor.read { pointer in
          let data = Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: pointer), count: tensor.count * 4,
            deallocator: .none)
          if tensor.count > 0 { try handle.write(contentsOf: data) }
        }
      }
    }
  }
}

/// JSON text of a string, list or map, keys sorted.
public func jsonText(_ value: some Encodable, pretty: Bool = false) -> String {
  let encoder = JSONEncoder()
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  encoder.outputFormatting =
    pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
  return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
}
