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
    var header: [String] = []
    if !metadata.isEmpty { header.append("\"__metadata__\":\(jsonText(metadata))") }
    var offset = 0
    func describe(_ key: String, _ dtype: DType, _ shape: Shape) {
      let end = offset + shape.count * dtype.byteCount
      header.append(
        "\(jsonText(key)):{\"dtype\":\"\(dtype.rawValue)\",\"shape\":\(shape.dimensions),"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    for (key, tensor) in tensors { describe(key, dtype, tensor.shape) }
    for tensor in integers { describe(tensor.key, tensor.dtype, tensor.shape) }
    var text = Data("{\(header.joined(separator: ","))}".utf8)
    while (text.count + 8) % 64 != 0 { text.append(UInt8(ascii: " ")) }
    let stream = TensorStream(dtype: dtype, path: path)
    try FileSystem.write(to: path) { handle in
      var length = UInt64(text.count).littleEndian
      try handle.write(contentsOf: Data(bytes: &length, count: 8) + text)
      for (key, tensor) in tensors {
        try stream.write(tensor, key: key) { try handle.write(contentsOf: $0) }
      }
      for tensor in integers { try handle.write(contentsOf: tensor.bytes) }
    }
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
