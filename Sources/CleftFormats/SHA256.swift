import Foundation

/// The SHA-256 digest, for lists and files whose identity others must be able to check with their own tools.
///
/// - Source: FIPS 180-4, §6.2.
public enum SHA256 {
  /// Digest of a text's UTF-8 bytes as 64 hexadecimal digits.
  public static func hex(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { hex($0) } }

  /// Digest of data as 64 hexadecimal digits.
  public static func hex(_ data: Data) -> String { data.withUnsafeBytes { hex($0) } }

  /// Digest of a file as 64 hexadecimal digits.
  ///
  /// - Throws: `FormatError` if the file cannot be read.
  public static func ofFile(_ path: String) throws(FormatError) -> String {
    hex(try FileSystem.read(path))
  }

  /// Digest of bytes as 64 hexadecimal digits.
  public static func hex(_ bytes: UnsafeRawBufferPointer) -> String {
    var state = initialState
    let whole = bytes.count / 64 * 64
    compress(UnsafeRawBufferPointer(rebasing: bytes[..<whole]), into: &state)
    // The rest, a one bit, zeros, and the length in bits at the end of a block.
    var tail = Array(bytes[whole...]) + [0x80]
    tail += [UInt8](repeating: 0, count: (120 - tail.count) % 64)
    let bits = UInt64(bytes.count) &* 8
    tail += (0..<8).reversed().map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
    tail.withUnsafeBytes { compress($0, into: &state) }
    return state.indices.map { place in
      let digits = String(state[place], radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// Mixes whole blocks of 64 bytes into the state.
  private static func compress(_ bytes: UnsafeRawBufferPointer, into state: inout SIMD8<UInt32>) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
      constants.withUnsafeBufferPointer { constants in
        for block in stride(from: 0, to: bytes.count, by: 64) {
          expand(bytes, block, into: words)
          round(words, constants, &state)
        }
      }
    }
  }

  /// The 64 words of one block's message schedule.
  @inline(__always)
  private static func expand(
    _ bytes: UnsafeRawBufferPointer, _ block: Int, into words: UnsafeMutableBufferPointer<UInt32>
  ) {
    for i in 0..<16 {
      words[i] = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: block + 4 * i, as: UInt32.self))
    }
    for i in 16..<64 {
      let (early, late) = (words[i - 15], words[i - 2])
      let first = rotated(early, 7) ^ rotated(early, 18) ^ (early >> 3)
      let second = rotated(late, 17) ^ rotated(late, 19) ^ (late >> 10)
      words[i] = words[i - 16] &+ first &+ words[i - 7] &+ second
    }
  }

  /// The 64 steps over one block.
  @inline(__always)
  private static func round(
    _ words: UnsafeMutableBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>,
    _ state: inout SIMD8<UInt32>
  ) {
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for i in 0..<64 {
      let choice = (e & f) ^ (~e & g)
      let sum = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
      let first = h &+ sum &+ choice &+ constants[i] &+ words[i]
      let majority = (a & b) ^ (a & c) ^ (b & c)
      let second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) &+ majority
      (h, g, f, e) = (g, f, e, d &+ first)
      (d, c, b, a) = (c, b, a, first &+ second)
    }
    state &+= SIMD8(a, b, c, d, e, f, g, h)
  }

  @inline(__always)
  private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
    (word >> count) | (word << (32 - count))
  }

  /// Fractions of the square roots of the first 8 primes.
  private static let initialState = SIMD8<UInt32>(
    primes.prefix(8).map { fraction(Double($0).squareRoot()) })

  /// Fractions of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = primes.map { fraction(cbrt(Double($0))) }

  private static let primes: [Int] = (2..<312).filter { number in
    !(2..<number).contains { number % $0 == 0 }
  }

  /// The first 32 bits behind the point; a double has at least 49 of them for roots below 18.
  private static func fraction(_ root: Double) -> UInt32 {
    UInt32((root - root.rounded(.down)) * 4_294_967_296)
  }
}
