import CleftTensor
import Foundation

/// What stands in front of the numbers of an `.npy` file.
struct NumpyHeader {
  let dimensions: [Int]
  let dtype: DType
  /// The type as the file names it.
  let code: String
  /// Bytes of all that stands in front of the numbers.
  let byteCount: Int

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let types: [String: DType] = ["<f4": .float32, "<f8": .float64, "<i8": .int64]
  /// Longest dictionary that is read; one for plain types has about a hundred bytes.
  private static let longest = 65_536
  /// NumPy's own limit.
  private static let mostAxes = 64

  /// Reads a header.
  ///
  /// - Parameter path: for messages.
  init(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(FormatError) {
    let fields: [String: NumpyLiteral]
    (fields, byteCount) = try Self.fields(bytes, path)
    func refuse(_ key: String, _ expected: String, _ hint: String = "") -> FormatError {
      let found = fields[key].map { $0.description } ?? "nothing"
      return .malformed(Problem("\(path): \(key)", found: found, expected: expected, hint: hint))
    }
    guard case .text(let code)? = fields["descr"], let dtype = Self.types[code] else {
      throw refuse(
        "descr", "'<f4', '<f8' or '<i8'", "Save it with numpy.save(path, array.astype('<f4')).")
    }
    guard case .truth(let isFortran)? = fields["fortran_order"] else {
      throw refuse("fortran_order", "True or False")
    }
    guard case .numbers(let dimensions)? = fields["shape"], dimensions.count <= Self.mostAxes else {
      throw refuse("shape", "a tuple of at most \(Self.mostAxes) extents")
    }
    guard !isFortran || dimensions.filter({ $0 != 1 }).count < 2 else {
      throw refuse("fortran_order", "False", "Save it with numpy.ascontiguousarray(array).")
    }
    (self.code, self.dtype, self.dimensions) = (code, dtype, dimensions)
  }

  /// The dictionary, and the bytes up to its end.
  private static func fields(
    _ bytes: UnsafeRawBufferPointer, _ path: String
  ) throws(FormatError) -> ([String: NumpyLiteral], Int) {
    let hint = "Is it a file that numpy.save wrote?"
    guard bytes.count >= 12, bytes.starts(with: magic) else {
      throw .malformed(
        Problem(path, found: "other first bytes", expected: "an .npy file (\\x93NUMPY…)", hint: hint))
    }
    let (major, minor) = (bytes[6], bytes[7])
    guard (1...3).contains(major), minor == 0 else {
      throw .malformed(
        Problem(path, found: "format version \(major).\(minor)", expected: "1.0, 2.0 or 3.0"))
    }
    let prefix = major == 1 ? 10 : 12
    let length =
      major == 1
      ? Int(bytes[8]) | Int(bytes[9]) << 8
      : (0..<4).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
    guard length <= longest, prefix + length <= bytes.count else {
      throw .malformed(
        Problem(
          path, found: "a header of \(length) bytes in a file of \(bytes.count)", expected: "a shorter one",
          hint: "The file is cut or damaged; write it again."))
    }
    let text = String(decoding: bytes[prefix..<prefix + length], as: UTF8.self)
    var reader = NumpyLiteralReader(text)
    guard let fields = reader.dictionary() else {
      throw .malformed(
        Problem(
          path, found: "a header that is no dictionary of plain values",
          expected: "{'descr': …, 'fortran_order': …, 'shape': …}", hint: hint))
    }
    return (fields, prefix + length)
  }

  /// A header of 128 bytes for float32 numbers in C order, longer ones for many axes; its length does not depend on the
  /// first extent.
  static func float32(_ dimensions: [Int]) -> Data {
    let inner = dimensions.map(String.init).joined(separator: ", ") + (dimensions.count == 1 ? "," : "")
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(inner)), }"
    // NumPy leaves room for the first extent to grow, too.
    let grown = text.utf8.count + 20 - (dimensions.first.map { String($0).utf8.count } ?? 20)
    let whole = max(128, (10 + grown + 1 + 63) / 64 * 64)
    let padding = String(repeating: " ", count: whole - 10 - text.utf8.count - 1)
    let length = whole - 10
    return Data(magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)]) + Data("\(text)\(padding)\n".utf8)
  }
}

/// A value of a header's dictionary.
enum NumpyLiteral: CustomStringConvertible {
  case text(String)
  case truth(Bool)
  case numbers([Int])

  /// As Python writes it.
  var description: String {
    switch self {
    case .text(let text): "'\(text.prefix(40))'"
    case .truth(let isTrue): isTrue ? "True" : "False"
    case .numbers(let numbers): "(\(numbers.prefix(8).map(String.init).joined(separator: ", ")))"
    }
  }
}

/// Reads the few Python literals that a header is made of; nothing is executed.
private struct NumpyLiteralReader {
  private let bytes: [UInt8]
  private var place = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  /// A dictionary with text keys, and nothing but white space behind it; nil for anything else.
  mutating func dictionary() -> [String: NumpyLiteral]? {
    guard take("{") else { return nil }
    var fields: [String: NumpyLiteral] = [:]
    while !take("}") {
      guard let key = text(), take(":"), let value = value(), fields.updateValue(value, forKey: key) == nil
      else { return nil }
      if !take(",") {
        guard take("}") else { return nil }
        break
      }
    }
    skipSpace()
    return place == bytes.count ? fields : nil
  }

  private mutating func value() -> NumpyLiteral? {
    if let text = text() { return .text(text) }
    if takeWord("True") { return .truth(true) }
    if takeWord("False") { return .truth(false) }
    return tuple().map { .numbers($0) }
  }

  private mutating func tuple() -> [Int]? {
    guard take("(") else { return nil }
    var numbers: [Int] = []
    while !take(")") {
      guard let number = number() else { return nil }
      numbers.append(number)
      if !take(",") { return take(")") ? numbers : nil }
    }
    return numbers
  }

  private mutating func number() -> Int? {
    skipSpace()
    let digits = bytes[place...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    place += digits.count
    // Python 2 wrote `3L`.
    if !digits.isEmpty, place < bytes.count, bytes[place] == UInt8(ascii: "L") { place += 1 }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  /// A text in single or double quotes without escapes.
  private mutating func text() -> String? {
    skipSpace()
    guard place < bytes.count, [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(bytes[place]),
      let end = bytes[(place + 1)...].firstIndex(of: bytes[place]),
      !bytes[place..<end].contains(UInt8(ascii: "\\"))
    else { return nil }
    defer { place = end + 1 }
    return String(decoding: bytes[place + 1..<end], as: UTF8.self)
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
    place += 1
    return true
  }

  private mutating func takeWord(_ word: String) -> Bool {
    skipSpace()
    guard bytes[place...].starts(with: word.utf8) else { return false }
    place += word.utf8.count
    return true
  }

  private mutating func skipSpace() {
    while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
  }
}
