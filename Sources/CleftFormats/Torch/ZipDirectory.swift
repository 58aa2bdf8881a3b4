import Foundation

/// The members of a zip archive whose members are stored, not compressed, as PyTorch writes them.
///
/// - Source: PKWARE APPNOTE 6.3, with the 64-bit extension.
struct ZipDirectory {
  /// Where a member's bytes lie in the file.
  struct Member {
    let offset, byteCount: Int
  }

  let members: [String: Member]

  init(_ file: MappedFile) throws(FormatError) {
    let reader = ByteReader(base: UnsafeRawPointer(file.base), count: file.count, path: file.path)
    let end = try Self.findEnd(reader)
    var count = Int(try reader.uint16(end + 10))
    var offset = Int(try reader.uint32(end + 16))
    if offset == 0xFFFF_FFFF || count == 0xFFFF {
      guard end >= 20, try reader.uint32(end - 20) == 0x0706_4B50 else {
        throw reader.damaged("no 64-bit directory")
      }
      let wide = try reader.int(end - 12)
      guard try reader.uint32(wide) == 0x0606_4B50 else { throw reader.damaged("no 64-bit directory") }
      count = try reader.int(wide + 32)
      offset = try reader.int(wide + 48)
    }
    var members: [String: Member] = [:]
    for _ in 0..<min(count, file.count / 46) {
      guard try reader.uint32(offset) == 0x0201_4B50 else { throw reader.damaged("a broken directory") }
      let (nameLength, extraLength) = (
        Int(try reader.uint16(offset + 28)), Int(try reader.uint16(offset + 30))
      )
      let name = try reader.text(offset + 46, nameLength)
      guard try reader.uint16(offset + 10) == 0 else { throw reader.damaged("member \(name) is compressed") }
      var size = Int(try reader.uint32(offset + 24))
      var header = Int(try reader.uint32(offset + 42))
      try Self.widen(reader, offset + 46 + nameLength, extraLength, &size, &header)
      guard try reader.uint32(header) == 0x0403_4B50 else {
        throw reader.damaged("member \(name) has no header")
      }
      let start = header + 30 + Int(try reader.uint16(header + 26)) + Int(try reader.uint16(header + 28))
      guard size >= 0, start >= 0, start <= file.count - size else {
        throw reader.damaged("member \(name) ends early")
      }
      members[name] = Member(offset: start, byteCount: size)
      offset += 46 + nameLength + extraLength + Int(try reader.uint16(offset + 32))
    }
    self.members = members
  }

  /// The end record is within the last 64 KiB.
  private static func findEnd(_ reader: ByteReader) throws(FormatError) -> Int {
    var place = reader.count - 22
    let last = max(0, reader.count - 65_557)
    while place >= last {
      if try reader.uint32(place) == 0x0605_4B50 { return place }
      place -= 1
    }
    throw reader.damaged("no directory at its end")
  }

  /// Takes 64-bit sizes from a member's extra fields.
  private static func widen(
    _ reader: ByteReader, _ start: Int, _ length: Int, _ size: inout Int, _ header: inout Int
  ) throws(FormatError) {
    var place = start
    while place + 4 <= start + length {
      let (kind, count) = (try reader.uint16(place), Int(try reader.uint16(place + 2)))
      if kind == 1 {
        var field = place + 4
        if size == 0xFFFF_FFFF {
          size = try reader.int(field)
          field += 8
        }
        // A wide size is stored twice, plain and compressed, where both are wide.
        if header == 0xFFFF_FFFF { header = try reader.int(place + 4 + count - 8) }
      }
      place += 4 + count
    }
  }
}

/// Little-endian numbers out of a mapped file, with every read checked.
struct ByteReader {
  let base: UnsafeRawPointer
  let count: Int
  let path: String

  func damaged(_ what: String) -> FormatError {
    .malformed(
      Problem(
        path, found: "a damaged archive (\(what))", expected: "a whole file", hint: "Fetch or write it again."
      ))
  }

  func uint16(_ offset: Int) throws(FormatError) -> UInt16 {
    try check(offset, 2)
    return UInt16(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  func uint32(_ offset: Int) throws(FormatError) -> UInt32 {
    try check(offset, 4)
    return UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// A 64-bit number that must fit an `Int`.
  func int(_ offset: Int) throws(FormatError) -> Int {
    try check(offset, 8)
    let value = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    guard let fitting = Int(exactly: value) else { throw damaged("a number too large") }
    return fitting
  }

  func text(_ offset: Int, _ length: Int) throws(FormatError) -> String {
    try check(offset, length)
    return String(decoding: UnsafeRawBufferPointer(start: base + offset, count: length), as: UTF8.self)
  }

  private func check(_ offset: Int, _ length: Int) throws(FormatError) {
    guard offset >= 0, length >= 0, offset <= count - length else { throw damaged("it ends early") }
  }
}
