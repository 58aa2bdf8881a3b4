import CleftTensor
import Foundation

/// Writes a safetensors file.
public enum SafeTensorsWriter {
  /// Writes tensors beside their place and renames them; keys in the order given.
  ///
  /// - Parameters:
  ///   - integers: tensors of integers, behind the others.
  ///   - dtype: float32, or bfloat16 or float16 rounded to nearest, ties to even.
  /// - Throws: `FormatError.system`, or `.malformed` naming a tensor with a number too large for the type.
  public static func write(
    _ tensors: [(key: String, tensor: Tensor)], integers: [IntegerTensor] = [],
    metadata: [String: String] = [:], dtype: DType = .float32, to path: String
  ) throws(FormatError) {
    let header = header(tensors.map { ($0.key, $0.tensor.shape) }, integers, metadata, dtype)
    _ = try write(header, to: path) { file in
      let stream = TensorStream(dtype: dtype, path: path)
      for (key, tensor) in tensors { try stream.write(tensor, key: key, file.write) }
      for tensor in integers { try file.write(tensor.bytes) }
    }
  }

  /// Writes float32 tensors that are in memory one at a time.
  ///
  /// - Parameters:
  ///   - tensors: keys and shapes, in the order of the file.
  ///   - lend: calls its second argument with the tensor of an index.
  /// - Returns: the fingerprint of what was handed to the disk, to compare with what it then holds.
  /// - Throws: `FormatError.system`.
  public static func write(
    _ tensors: [(key: String, shape: Shape)], to path: String,
    lending lend: (_ index: Int, _ body: (Tensor) throws -> Void) throws -> Void
  ) throws(FormatError) -> String {
    try write(header(tensors, [], [:], .float32), to: path) { file in
      let stream = TensorStream(dtype: .float32, path: path)
      for (index, (key, shape)) in tensors.enumerated() {
        try lend(index) { tensor in
          precondition(tensor.shape == shape, "safetensors: \(key) [\(tensor.shape)] as [\(shape)]")
          try stream.write(tensor, key: key, file.write)
        }
      }
    }
  }

  /// Bytes of a file of float32 tensors.
  public static func byteCount(_ tensors: [(key: String, shape: Shape)]) -> Int {
    8 + header(tensors, [], [:], .float32).count + 4 * tensors.reduce(0) { $0 + $1.shape.count }
  }

  private static func write(
    _ header: Data, to path: String, _ body: (SummedFile) throws -> Void
  ) throws(FormatError) -> String {
    var digest = ""
    try FileSystem.write(to: path) { handle in
      let file = SummedFile(handle)
      var length = UInt64(header.count).littleEndian
      try file.write(Data(bytes: &length, count: 8) + header)
      try body(file)
      digest = file.digest
    }
    return digest
  }

  private static func header(
    _ tensors: [(key: String, shape: Shape)], _ integers: [IntegerTensor], _ metadata: [String: String],
    _ dtype: DType
  ) -> Data {
    var fields: [String] = []
    if !metadata.isEmpty { fields.append("\"__metadata__\":\(jsonText(metadata))") }
    var offset = 0
    func describe(_ key: String, _ dtype: DType, _ shape: Shape) {
      let end = offset + shape.count * dtype.byteCount
      fields.append(
        "\(jsonText(key)):{\"dtype\":\"\(dtype.rawValue)\",\"shape\":\(shape.dimensions),"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    for (key, shape) in tensors { describe(key, dtype, shape) }
    for tensor in integers { describe(tensor.key, tensor.dtype, tensor.shape) }
    var text = Data("{\(fields.joined(separator: ","))}".utf8)
    while (text.count + 8) % 64 != 0 { text.append(UInt8(ascii: " ")) }
    return text
  }
}

/// A file in work that knows the fingerprint of what was written to it.
private final class SummedFile {
  private let handle: FileHandle
  private var sum = Checksum.Stream()

  init(_ handle: FileHandle) { self.handle = handle }

  var digest: String { sum.digest }

  func write(_ data: Data) throws {
    data.withUnsafeBytes { sum.add($0) }
    try handle.write(contentsOf: data)
  }
}

/// Hands out a tensor's bytes in pieces, converted on the way; one piece is in memory at a time.
struct TensorStream {
  let dtype: DType
  let path: String
  private static let chunk = 1 << 20

  /// Calls `body` with consecutive pieces, each valid only during its call.
  ///
  /// - Throws: what `body` throws; `FormatError.malformed` if a finite number is too large for the type.
  func write(_ tensor: Tensor, key: String, _ body: (Data) throws -> Void) throws {
    let dtype = dtype
    var buffer = [UInt16](repeating: 0, count: dtype == .float32 ? 0 : min(tensor.count, Self.chunk))
    try tensor.read { pointer in
      for start in stride(from: 0, to: tensor.count, by: Self.chunk) {
        let count = min(Self.chunk, tensor.count - start)
        let source = pointer + start
        guard dtype != .float32 else {
          try body(Data.lent(UnsafeMutableRawPointer(mutating: source), count: count * 4))
          continue
        }
        try buffer.withUnsafeMutableBytes { bytes in
          guard let target = bytes.baseAddress else { return }
          guard Conversion.narrow(source, count: count, dtype, into: target) else {
            throw FormatError.malformed(
              Problem(
                "\(path): \(key)", found: "a number too large for \(dtype.rawValue)",
                hint: "Write BF16 or F32."))
          }
          try body(Data.lent(target, count: count * 2))
        }
      }
    }
  }
}

extension Data {
  /// Bytes of somebody else, not copied.
  static func lent(_ base: UnsafeMutableRawPointer, count: Int) -> Data {
    Data(bytesNoCopy: base, count: count, deallocator: .none)
  }
}
