import CleftFormats
import Foundation

extension JSONNode {
  /// Reads JSON text.
  ///
  /// - Parameter source: names the origin in messages.
  /// - Throws: `TokenizerError.malformed` with the first byte that is not JSON.
  static func parse(_ data: Data, _ source: String) throws(TokenizerError) -> JSONNode {
    var bytes = Array(data)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw .malformed(Problem(source, found: "bytes that are not UTF-8", expected: "JSON text"))
    }
    var parser = JSONParser(bytes: bytes)
    guard let node = parser.value(depth: 0), parser.isAtEnd() else {
      let place = parser.position < bytes.count ? "at byte \(parser.position)" : "at its end"
      throw .malformed(
        Problem(
          source, found: "no JSON \(place)", expected: "a tokenizer's JSON text",
          hint: "The file may be cut off; fetch it again."))
    }
    return node
  }
}

/// A reader of UTF-8 that answers nil at the first byte that does not fit.
private struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  /// More brackets inside each other than any tokenizer has.
  private static let deepest = 64

  init(bytes: [UInt8]) { self.bytes = bytes }

  private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
  }

  private mutating func take(_ expected: UInt8) -> Bool {
    guard byte == expected else { return false }
    position += 1
    return true
  }

  mutating func isAtEnd() -> Bool {
    skipSpace()
    return position == bytes.count
  }

  mutating func value(depth: Int) -> JSONNode? {
    skipSpace()
    guard depth < Self.deepest, let byte else { return nil }
    switch byte {
    case UInt8(ascii: "{"): return map(depth)
    case UInt8(ascii: "["): return list(depth)
    case UInt8(ascii: "\""): return string().map(JSONNode.string)
    case UInt8(ascii: "t"): return word("true", .bool(true))
    case UInt8(ascii: "f"): return word("false", .bool(false))
    case UInt8(ascii: "n"): return word("null", .null)
    default: return number()
    }
  }

  private mutating func word(_ word: String, _ node: JSONNode) -> JSONNode? {
    guard bytes[position...].starts(with: word.utf8) else { return nil }
    position += word.utf8.count
    return node
  }

  private mutating func number() -> JSONNode? {
    let start = position
    while let byte, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
    guard let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)), value.isFinite else {
      position = start
      return nil
    }
    return .number(value)
  }

  private mutating func list(_ depth: Int) -> JSONNode? {
    position += 1
    skipSpace()
    if take(UInt8(ascii: "]")) { return .list([]) }
    var values: [JSONNode] = []
    while let value = value(depth: depth + 1) {
      values.append(value)
      skipSpace()
      if take(UInt8(ascii: "]")) { return .list(values) }
      guard take(UInt8(ascii: ",")) else { return nil }
    }
    return nil
  }

  private mutating func map(_ depth: Int) -> JSONNode? {
    position += 1
    skipSpace()
    if take(UInt8(ascii: "}")) { return .map([]) }
    var pairs: [(key: Spelling, value: JSONNode)] = []
    while true {
      skipSpace()
      guard byte == UInt8(ascii: "\""), let key = string() else { return nil }
      skipSpace()
      guard take(UInt8(ascii: ":")), let value = value(depth: depth + 1) else { return nil }
      pairs.append((key, value))
      skipSpace()
      if take(UInt8(ascii: "}")) { return .map(pairs) }
      guard take(UInt8(ascii: ",")) else { return nil }
    }
  }

  private mutating func string() -> Spelling? {
    position += 1
    var result: [UInt8] = []
    while let byte {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return Spelling(bytes: result)
      case UInt8(ascii: "\\"):
        guard let scalar = escape() else { return nil }
        result += Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      case 0..<0x20: return nil
      default: result.append(byte)
      }
    }
    return nil
  }

  private mutating func escape() -> Unicode.Scalar? {
    guard let byte else { return nil }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: return nil
    }
    guard let first = fourDigits() else { return nil }
    guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
    guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let second = fourDigits(),
      (0xDC00..<0xE000).contains(second)
    else { return nil }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
  }

  private mutating func fourDigits() -> UInt32? {
    guard position + 4 <= bytes.count else { return nil }
    let digits = bytes[position..<position + 4]
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
    position += 4
    return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
  }
}
