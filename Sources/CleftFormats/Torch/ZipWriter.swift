import Foundation

/// Writes a zip archive of stored members piece by piece, each aligned to 64 bytes as `torch.save` does.
///
/// A member's checksum is known only after its bytes: its header is written again then. Sizes and places from `wideLimit`
/// on are written in 64 bits.
/// - Source: PKWARE APPNOTE 6.3; PyTorch `caffe2/serialize/inline_container.cc` for the padding.
package struct ZipWriter {
  private struct Member {
    let name: String
    let size, header: Int
    var checksum: UInt32 = 0
  }

  private let handle: FileHandle
  private let wideLimit: Int
  private var members: [Member] = []
  private var place = 0

  /// Starts an archive in an empty file; the limit is lower only in tests.
  package init(_ handle: FileHandle, wideLimit: Int = 0xFFFF_FFFF) {
    self.handle = handle
    self.wideLimit = wideLimit
  }

  /// Adds a member that is in memory whole.
  package mutating func add(_ name: String, _ data: Data) throws {
    try add(name, size: data.count) { try $0(data) }
  }

  /// Adds a member of `size` bytes, which `body` passes on in pieces.
  package mutating func add(
    _ name: String, size: Int, _ body: (_ write: (Data) throws -> Void) throws -> Void
  ) throws {
    var member = Member(name: name, size: size, header: place)
    try append(header(member))
    var crc = CRC32()
    var written = 0
    try body { data in
      crc.update(data)
      try handle.write(contentsOf: data)
      written += data.count
    }
    precondition(written == size, "zip: \(written) of \(size) bytes of \(name)")
    place += size
    member.checksum = crc.value
    try handle.seek(toOffset: UInt64(member.header))
    try handle.write(contentsOf: header(member))
    try handle.seek(toOffset: UInt64(place))
    members.append(member)
  }

  /// Writes the directory; nothing may be added afterwards.
  package mutating func finish() throws {
    let start = place
    for member in members { try append(entry(member)) }
    let size = place - start
    let isWide = start >= wideLimit || size >= wideLimit || members.count >= 0xFFFF
    if isWide {
      let record = place
      var wide = LittleEndian()
      wide.add([(0x0606_4B50, 4), (44, 8), (45, 2), (45, 2), (0, 4), (0, 4)])
      wide.add([(members.count, 8), (members.count, 8), (size, 8), (start, 8)])
      wide.add([(0x0706_4B50, 4), (0, 4), (record, 8), (1, 4)])
      try append(wide.data)
    }
    let count = isWide ? 0xFFFF : members.count
    var end = LittleEndian()
    end.add([(0x0605_4B50, 4), (0, 2), (0, 2), (count, 2), (count, 2)])
    end.add([(isWide ? 0xFFFF_FFFF : size, 4), (isWide ? 0xFFFF_FFFF : start, 4), (0, 2)])
    try append(end.data)
  }

  private mutating func append(_ data: Data) throws {
    try handle.write(contentsOf: data)
    place += data.count
  }

  /// The header before a member's bytes, padded so that these start at a multiple of 64.
  private func header(_ member: Member) -> Data {
    let isWide = member.size >= wideLimit
    var extra = LittleEndian()
    if isWide { extra.add([(1, 2), (16, 2), (member.size, 8), (member.size, 8)]) }
    let end = member.header + 30 + member.name.utf8.count + extra.data.count
    let padding = (64 - (end + 4) % 64) % 64
    extra.add([(0x4246, 2), (padding, 2)])
    extra.data.append(Data(repeating: UInt8(ascii: "Z"), count: padding))
    let size = isWide ? 0xFFFF_FFFF : member.size
    var header = LittleEndian()
    header.add([(0x0403_4B50, 4)] + common(member, isWide: isWide))
    header.add([(size, 4), (size, 4), (member.name.utf8.count, 2), (extra.data.count, 2)])
    return header.data + Data(member.name.utf8) + extra.data
  }

  /// A member's line in the directory.
  private func entry(_ member: Member) -> Data {
    var extra = LittleEndian()
    if member.size >= wideLimit { extra.add([(member.size, 8), (member.size, 8)]) }
    if member.header >= wideLimit { extra.add([(member.header, 8)]) }
    let isWide = !extra.data.isEmpty
    let size = member.size >= wideLimit ? 0xFFFF_FFFF : member.size
    var entry = LittleEndian()
    entry.add([(0x0201_4B50, 4), (isWide ? 45 : 20, 2)] + common(member, isWide: isWide))
    entry.add([(size, 4), (size, 4), (member.name.utf8.count, 2), (isWide ? extra.data.count + 4 : 0, 2)])
    entry.add([(0, 2), (0, 2), (0, 2), (0, 4)])
    entry.add([(member.header >= wideLimit ? 0xFFFF_FFFF : member.header, 4)])
    entry.data.append(Data(member.name.utf8))
    if isWide { entry.add([(1, 2), (extra.data.count, 2)]) }
    return entry.data + extra.data
  }

  /// Version needed, UTF-8 names, no compression, the first of January 1980, checksum.
  private func common(_ member: Member, isWide: Bool) -> [(value: Int, width: Int)] {
    [(isWide ? 45 : 20, 2), (0x0800, 2), (0, 2), (0, 2), (0x21, 2), (Int(member.checksum), 4)]
  }
}

/// Bytes of numbers, lowest first.
private struct LittleEndian {
  var data = Data()

  mutating func add(_ numbers: [(value: Int, width: Int)]) {
    for (value, width) in numbers {
      for byte in 0..<width { data.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
  }
}
