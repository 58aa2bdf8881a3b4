/// Reads the fields of a protobuf message one after another.
///
/// - Source: the wire format of Protocol Buffers; groups, which SentencePiece does not use, are not read.
struct ProtobufReader {
  /// A field's contents.
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)

    /// A message, a string or raw bytes.
    var bytes: ArraySlice<UInt8>? { if case .bytes(let bytes) = self { bytes } else { nil } }

    /// UTF-8 text.
    var spelling: Spelling? {
      guard let bytes, String(validating: bytes, as: UTF8.self) != nil else { return nil }
      return Spelling(bytes: Array(bytes))
    }

    /// A truth value.
    var bool: Bool? { if case .varint(let value) = self { value != 0 } else { nil } }

    /// A small whole number.
    var int: Int? { if case .varint(let value) = self { Int(exactly: value) } else { nil } }

    /// A float.
    var float: Float? { if case .fixed32(let bits) = self { Float(bitPattern: bits) } else { nil } }
  }

  private let data: ArraySlice<UInt8>
  private var position: Int

  init(_ data: ArraySlice<UInt8>) {
    self.data = data
    position = data.startIndex
  }

  /// All fields in order; nil if the bytes are no message.
  static func fields(_ data: ArraySlice<UInt8>) -> [(number: Int, value: Value)]? {
    var reader = ProtobufReader(data)
    var fields: [(number: Int, value: Value)] = []
    while reader.position < data.endIndex {
      guard let field = reader.next() else { return nil }
      fields.append(field)
    }
    return fields
  }

  private mutating func next() -> (number: Int, value: Value)? {
    guard let key = varint(), let number = Int(exactly: key >> 3), number > 0 else { return nil }
    switch key & 7 {
    case 0: return varint().map { (number, .varint($0)) }
    case 1: return fixed(8).map { (number, .fixed64($0)) }
    case 2:
      guard let length = varint(), length <= UInt64(data.endIndex - position) else { return nil }
      defer { position += Int(length) }
      return (number, .bytes(data[position..<position + Int(length)]))
    case 5: return fixed(4).map { (number, .fixed32(UInt32(truncatingIfNeeded: $0))) }
    default: return nil
    }
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < data.endIndex else { return nil }
      let byte = data[position]
      position += 1
      if shift < 64 { value |= UInt64(byte & 0x7F) << shift }
      if byte < 0x80 { return value }
    }
    return nil
  }

  private mutating func fixed(_ count: Int) -> UInt64? {
    guard data.endIndex - position >= count else { return nil }
    defer { position += count }
    return data[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
