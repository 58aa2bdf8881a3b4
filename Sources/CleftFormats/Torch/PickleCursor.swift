/// Takes numbers, texts and lines out of a pickle's bytes; every read is checked.
struct PickleCursor {
  let data: UnsafeRawBufferPointer
  let path: String
  var place = 0

  func damaged(_ what: String) -> FormatError {
    .malformed(Problem(path, found: "a pickle with \(what) that cannot be", expected: "a PyTorch checkpoint"))
  }

  mutating func take(_ count: Int) throws(FormatError) -> UnsafeRawBufferPointer {
    guard count >= 0, place <= data.count - count else { throw damaged("an end") }
    defer { place += count }
    return UnsafeRawBufferPointer(rebasing: data[place..<place + count])
  }

  mutating func byte() throws(FormatError) -> UInt8 {
    guard place < data.count else { throw damaged("an end") }
    defer { place += 1 }
    return data[place]
  }

  /// A little-endian number of up to 8 bytes.
  mutating func unsigned(_ count: Int) throws(FormatError) -> Int {
    let value = try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let fitting = Int(exactly: value) else { throw damaged("a length") }
    return fitting
  }

  mutating func signed32() throws(FormatError) -> Int {
    Int(Int32(truncatingIfNeeded: try unsigned(4)))
  }

  /// A big-endian IEEE double.
  mutating func double() throws(FormatError) -> Double {
    Double(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// A two's-complement number of `count` bytes, at most 1,024.
  mutating func long(_ count: Int) throws(FormatError) -> PickleValue {
    guard count <= 1_024 else { throw damaged("a number of \(count) bytes") }
    let bytes = try take(count)
    guard count > 8 else {
      if count == 0 { return .int(0) }
      let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let shift = UInt64(64 - 8 * count)
      return .int(Int(Int64(bitPattern: value << shift) >> Int64(shift)))
    }
    let digits = bytes.reversed().map { byte in
      let text = String(byte, radix: 16)
      return byte < 16 ? "0" + text : text
    }
    return .wide("0x" + digits.joined())
  }

  mutating func text(_ count: Int) throws(FormatError) -> String {
    String(decoding: try take(count), as: UTF8.self)
  }

  mutating func lineBytes() throws(FormatError) -> UnsafeRawBufferPointer {
    let start = place
    while try byte() != UInt8(ascii: "\n") {}
    return UnsafeRawBufferPointer(rebasing: data[start..<place - 1])
  }

  mutating func line() throws(FormatError) -> String { String(decoding: try lineBytes(), as: UTF8.self) }

  /// Protocol 0's integers: `12`, a long's `12L`, and `00` and `01` for false and true.
  mutating func decimal() throws(FormatError) -> PickleValue {
    var text = try line()
    if text == "00" || text == "01" { return .bool(text == "01") }
    if text.hasSuffix("L") { text.removeLast() }
    if let number = Int(text) { return .int(number) }
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
    guard !digits.isEmpty, digits.count <= 2_500,
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else {
      throw damaged("a number")
    }
    return .wide(text)
  }

  mutating func index() throws(FormatError) -> Int {
    guard case .int(let number) = try decimal(), number >= 0 else { throw damaged("a memo entry") }
    return number
  }

  mutating func decimalFraction() throws(FormatError) -> Double {
    guard let number = Double(try line()) else { throw damaged("a number") }
    return number
  }

  /// Protocol 0's byte string: quoted, with Python's escapes.
  mutating func quoted() throws(FormatError) -> String {
    let line = try lineBytes()
    guard line.count >= 2, let quote = line.first, quote == line.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { throw damaged("a string") }
    return try unescaped(line.dropFirst().dropLast(), letters: true)
  }

  /// Protocol 0's text: only `\u` and `\U` are escapes, other bytes are Latin-1.
  mutating func rawUnicode() throws(FormatError) -> String {
    try unescaped(try lineBytes()[...], letters: false)
  }

  private func unescaped(
    _ bytes: Slice<UnsafeRawBufferPointer>, letters: Bool
  ) throws(FormatError) -> String {
    let simple: [UInt8: UInt32] = [
      UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "\\"): 92,
      UInt8(ascii: "'"): 39, UInt8(ascii: "\""): 34,
    ]
    var scalars = String.UnicodeScalarView()
    var i = bytes.startIndex
    while i < bytes.endIndex {
      var code = UInt32(bytes[i])
      var length = 1
      if code == 92, i + 1 < bytes.endIndex {
        let kind = bytes[i + 1]
        let widths: [UInt8: Int] =
          letters ? [UInt8(ascii: "x"): 2] : [UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8]
        if let width = widths[kind] {
          guard i + 2 + width <= bytes.endIndex,
            let value = UInt32(String(decoding: bytes[i + 2..<i + 2 + width], as: UTF8.self), radix: 16)
          else { throw damaged("an escape") }
          (code, length) = (value, 2 + width)
        } else if letters, let value = simple[kind] {
          (code, length) = (value, 2)
        }
      }
      scalars.append(Unicode.Scalar(code) ?? "\u{FFFD}")
      i += length
    }
    return String(scalars)
  }
}
