import CleftFormats

/// A JSON value whose strings and keys keep their scalars.
///
/// Foundation's dictionaries drop one of two keys that are canonically equivalent; this list of pairs does not.
enum JSONNode: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(Spelling)
  case list([JSONNode])
  case map([(key: Spelling, value: JSONNode)])

  /// The value of a key, the last one if it is there twice; nil for other kinds than maps.
  subscript(_ key: String) -> JSONNode? {
    guard case .map(let pairs) = self else { return nil }
    let key = Spelling(key)
    return pairs.last { $0.key == key }?.value
  }

  /// Whether this is `null`.
  var isNull: Bool { if case .null = self { true } else { false } }

  /// The truth value, if it is one.
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

  /// The whole number, if it is one.
  var int: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }

  /// The number, if it is one.
  var number: Double? { if case .number(let value) = self { value } else { nil } }

  /// The string, if it is one.
  var spelling: Spelling? { if case .string(let value) = self { value } else { nil } }

  /// The string as text, if it is one.
  var text: String? { spelling?.text }

  /// The elements, if it is a list.
  var list: [JSONNode]? { if case .list(let values) = self { values } else { nil } }

  /// The pairs, if it is a map.
  var map: [(key: Spelling, value: JSONNode)]? { if case .map(let pairs) = self { pairs } else { nil } }
}

extension JSONNode: ExpressibleByStringLiteral {
  init(stringLiteral value: String) { self = .string(Spelling(value)) }

  /// A map from literal keys, in their order.
  static func object(_ pairs: KeyValuePairs<String, JSONNode>) -> JSONNode {
    .map(pairs.map { (Spelling($0.key), $0.value) })
  }

  /// A string.
  static func string(_ text: String) -> JSONNode { .string(Spelling(text)) }

  /// A whole number.
  static func int(_ value: Int) -> JSONNode { .number(Double(value)) }

  /// JSON text, one element of a map or of a list of maps a line.
  var json: String {
    var bytes: [UInt8] = []
    write(to: &bytes, indent: 0)
    return String(decoding: bytes, as: UTF8.self) + "\n"
  }

  private func write(to bytes: inout [UInt8], indent: Int) {
    switch self {
    case .null: bytes += Array("null".utf8)
    case .bool(let value): bytes += Array((value ? "true" : "false").utf8)
    case .number(let value):
      bytes += Array((Int(exactly: value).map(String.init) ?? String(value)).utf8)
    case .string(let value): JSONNode.write(value, to: &bytes)
    case .list(let values):
      let isTall = values.contains { if case .map = $0 { true } else { false } } || values.count > 8
      JSONNode.write(values, ("[", "]"), isTall: isTall, indent, to: &bytes) { value, bytes in
        value.write(to: &bytes, indent: indent + 1)
      }
    case .map(let pairs):
      JSONNode.write(pairs, ("{", "}"), isTall: true, indent, to: &bytes) { pair, bytes in
        JSONNode.write(pair.key, to: &bytes)
        bytes += [0x3A, 0x20]
        pair.value.write(to: &bytes, indent: indent + 1)
      }
    }
  }

  private static func write<Element>(
    _ elements: [Element], _ brackets: (String, String), isTall: Bool, _ indent: Int, to bytes: inout [UInt8],
    element: (Element, inout [UInt8]) -> Void
  ) {
    bytes += Array(brackets.0.utf8)
    for (index, value) in elements.enumerated() {
      if index > 0 { bytes.append(0x2C) }
      if isTall { bytes += [0x0A] + Array(repeating: 0x20, count: 2 * indent + 2) }
      if !isTall, index > 0 { bytes.append(0x20) }
      element(value, &bytes)
    }
    if isTall, !elements.isEmpty { bytes += [0x0A] + Array(repeating: 0x20, count: 2 * indent) }
    bytes += Array(brackets.1.utf8)
  }

  private static func write(_ text: Spelling, to bytes: inout [UInt8]) {
    bytes.append(0x22)
    for byte in text.bytes {
      switch byte {
      case 0x22, 0x5C: bytes += [0x5C, byte]
      case 0..<0x20, 0x7F:
        let digits = String(byte, radix: 16)
        bytes += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(0x22)
  }
}
