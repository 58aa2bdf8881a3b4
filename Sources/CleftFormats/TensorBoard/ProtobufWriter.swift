import Foundation

/// Writes the fields of one protocol-buffer message.
///
/// Numbers that are zero and texts that are empty are left out, as proto3 wants it; `always` puts them in for fields of a
/// `oneof`, where being there means something.
///
/// - Source: protobuf.dev, "Encoding".
package struct ProtobufWriter {
  /// The message so far.
  package private(set) var bytes = Data()

  /// Starts an empty message.
  package init() {}

  /// The message that `fill` writes.
  package static func message(_ fill: (inout Self) -> Void) -> Data {
    var writer = Self()
    fill(&writer)
    return writer.bytes
  }

  /// A whole number of kind `int32`, `int64`, `uint32` or an enumeration.
  package mutating func integer(_ field: Int, _ value: Int) {
    if value == 0 { return }
    key(field, wireType: 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  /// A number of 64 bits.
  package mutating func double(_ field: Int, _ value: Double) {
    if value.bitPattern == 0 { return }
    key(field, wireType: 1)
    append(value.bitPattern)
  }

  /// A number of 32 bits.
  package mutating func float(_ field: Int, _ value: Float, always: Bool = false) {
    if value.bitPattern == 0, !always { return }
    key(field, wireType: 5)
    append(value.bitPattern)
  }

  /// A text.
  package mutating func text(_ field: Int, _ value: String) {
    if !value.isEmpty { message(field, Data(value.utf8)) }
  }

  /// Bytes or a message inside this one.
  package mutating func message(_ field: Int, _ value: Data) {
    key(field, wireType: 2)
    varint(UInt64(value.count))
    bytes.append(value)
  }

  /// A list of numbers of 64 bits, packed.
  package mutating func doubles(_ field: Int, _ values: [Double]) { packed(field, values.map(\.bitPattern)) }

  /// A list of numbers of 32 bits, packed.
  package mutating func floats(_ field: Int, _ values: [Float]) { packed(field, values.map(\.bitPattern)) }

  private mutating func packed<Bits: FixedWidthInteger>(_ field: Int, _ values: [Bits]) {
    if values.isEmpty { return }
    key(field, wireType: 2)
    varint(UInt64(values.count * MemoryLayout<Bits>.size))
    for value in values { append(value) }
  }

  private mutating func key(_ field: Int, wireType: Int) { varint(UInt64(field << 3 | wireType)) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
