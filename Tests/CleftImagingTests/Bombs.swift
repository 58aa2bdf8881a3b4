import Foundation

/// A deflate stream of a few bytes that inflates to many.
struct Deflater {
  private(set) var bytes = Data()
  private var pending: UInt64 = 0
  private var pendingCount: UInt64 = 0

  private mutating func put(_ value: UInt64, _ count: UInt64) {
    pending |= value << pendingCount
    pendingCount += count
    while pendingCount >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      pendingCount -= 8
    }
  }

  /// Bytes as they are.
  mutating func store(_ data: Data, isLast: Bool = false) {
    precondition(data.count < 65_536)
    put(isLast ? 1 : 0, 3)
    if pendingCount > 0 { put(0, 8 - pendingCount) }
    put(UInt64(data.count) | UInt64(~UInt16(data.count)) << 16, 32)
    bytes.append(data)
  }

  /// At least as many copies of a byte, in matches of 258; gives back how many.
  mutating func fill(_ byte: UInt8, _ count: Int) -> Int {
    precondition(byte < 144)
    let matches = (count + 256) / 258
    put(0b010, 3)
    // Codes are written from their highest bit on: the literal; length 258 is 1100'0101, distance 1 is 0'0000.
    put((0..<8).reduce(0) { $0 | UInt64((byte + 48) >> (7 - $1) & 1) << $1 }, 8)
    for _ in 0..<matches { put(0b0_0000_1010_0011, 13) }
    put(0, 7)
    return 1 + 258 * matches
  }
}

/// Small files that would cost gigabytes if they were believed.
enum Bombs {
  static func fixture(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(DecodingFixtures.folder)/\(name)"))
  }

  // MARK: JPEG 2000

  /// A file whose stream has another size, tiling and number of components; layers and precincts if wanted.
  static func codestream(
    side: Int, tile: Int, components: Int = 1, layers: Int = 1, precinct: UInt8? = nil
  ) throws -> Data {
    var data = try fixture("j2k12.dcm")
    patch(&data, after: [0x28, 0, 0x10, 0, 0x55, 0x53, 2, 0], with: little(side, 2))  // Rows
    patch(&data, after: [0x28, 0, 0x11, 0, 0x55, 0x53, 2, 0], with: little(side, 2))  // Columns
    guard let start = data.range(of: Data([0xFF, 0x4F, 0xFF, 0x51]))?.lowerBound,
      let style = data.range(of: Data([0xFF, 0x52, 0, 12]))?.lowerBound
    else { return Data() }
    let count = data.count
    let levels = Int(data[style + 9])
    data.replaceSubrange(style + 6..<style + 8, with: big(layers, 2))
    if let precinct {
      data[style + 4] |= 1
      data.insert(contentsOf: [UInt8](repeating: precinct, count: levels + 1), at: style + 14)
      data[style + 3] += UInt8(levels + 1)
    }
    let component = Data(data[start + 42..<start + 45])
    var size = big(38 + 3 * components, 2) + Data([0, 0]) + big(side, 4) + big(side, 4) + big(0, 8)
    size += big(tile, 4) + big(tile, 4) + big(0, 8) + big(components, 2)
    for _ in 0..<components { size += component }
    data.replaceSubrange(start + 4..<start + 45, with: size)
    let length = start - 4  // of the fragment
    precondition((data.count - count) % 2 == 0, "a fragment of odd length")
    let old = (0..<4).reduce(0) { $0 | Int(data[length + $1]) << (8 * $1) }
    data.replaceSubrange(length..<start, with: little(old + data.count - count, 4))
    return data
  }

  // MARK: Deflated DICOM

  /// A deflated file with zeros as the value of one element: `tag` and `type` as they are stored.
  static func deflated(
    tag: [UInt8], type: String, zeros: Int, inPlaceOfPixels pixels: Bool = false
  ) throws -> Data {
    let plain = try fixture("plain12.dcm"), packed = try fixture("deflated12.dcm")
    let body = plain.dropFirst(metaEnd(plain))
    let before: [UInt8] = pixels ? [0xE0, 0x7F, 0x10, 0] : [0x28, 0, 0x02, 0, 0x55, 0x53]
    guard let place = body.range(of: Data(before))?.lowerBound else { return Data() }
    // The zeros come in steps of 258 and one.
    let count = 1 + 258 * ((zeros + 256) / 258)
    let odd = count % 2
    var stream = Deflater()
    stream.store(Data(body[..<place]) + Data(tag) + Data(type.utf8) + Data([0, 0]) + little(count + odd, 4))
    _ = stream.fill(0, zeros)
    stream.store(Data(count: odd) + (pixels ? Data() : Data(body[place...])), isLast: true)
    return Data(packed.prefix(metaEnd(packed))) + stream.bytes + Data(count: stream.bytes.count % 2)
  }

  /// A file of very many elements without value.
  static func crowded(_ count: Int) throws -> Data {
    let plain = try fixture("plain12.dcm")
    let before = Data([0x28, 0, 0x02, 0, 0x55, 0x53])
    guard let place = plain.range(of: before)?.lowerBound else { return Data() }
    var data = Data(plain[..<place])
    for _ in 0..<count { data += [0x09, 0, 0x10, 0x10, 0x4C, 0x4F, 0, 0] }
    return data + plain[place...]
  }

  /// Where the dataset starts.
  private static func metaEnd(_ file: Data) -> Int {
    144 + (0..<4).reduce(0) { $0 | Int(file[140 + $1]) << (8 * $1) }
  }

  // MARK: PNG

  /// A sound PNG with compressed extras of 7.9 MB each behind its header.
  static func png(chunk: String, count: Int) throws -> Data {
    let head: [String: [UInt8]] = [
      "zTXt": [0x6B, 0, 0], "iTXt": [0x6B, 0, 1, 0, 0, 0], "iCCP": [0x6B, 0, 0],
    ]
    var stream = Deflater()
    let letters = stream.fill(UInt8(ascii: "a"), 7_900_000)
    stream.store(Data(), isLast: true)
    var named = Data(chunk.utf8) + (head[chunk] ?? []) + [0x78, 0x01]
    named += stream.bytes
    let sum = 1 + 97 * letters
    let sumOfSums = letters + 97 * letters * (letters + 1) / 2
    named += big((sumOfSums % 65_521) << 16 | sum % 65_521, 4)
    let whole = big(named.count - 4, 4) + named + big(Int(crc(named)), 4)
    let png = try fixture("gray8.png")
    var data = Data(png.prefix(33))
    for _ in 0..<count { data += whole }
    return data + png.dropFirst(33)
  }

  private static func crc(_ data: Data) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in data {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return ~sum
  }

  // MARK: Bytes

  private static func big(_ number: Int, _ count: Int) -> Data { Data(little(number, count).reversed()) }

  private static func little(_ number: Int, _ count: Int) -> Data {
    Data((0..<count).map { UInt8(truncatingIfNeeded: $0 < 8 ? number >> (8 * $0) : 0) })
  }

  private static func patch(_ data: inout Data, after: [UInt8], with bytes: Data) {
    guard let place = data.range(of: Data(after))?.upperBound else { return }
    data.replaceSubrange(place..<place + bytes.count, with: bytes)
  }
}
