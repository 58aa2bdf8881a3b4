import CleftTensor
import Foundation
import Glibc

/// A 64-bit fingerprint of bytes: notices damage and changes, is no defense against forgery.
///
/// Four multiply-rotate lanes over 32-byte blocks, mixed at the end.
public enum Checksum {
  /// Fingerprint of a file as 16 hexadecimal digits; the file is not kept in memory.
  ///
  /// - Throws: `FormatError.missing`, `.malformed` for a folder or an empty file, `.system` if it cannot be read.
  public static func ofFile(_ path: String) throws(FormatError) -> String {
    let descriptor = try MappedFile.open(path).descriptor
    defer { close(descriptor) }
    // Not mapped: a file that is cut meanwhile is a shorter file here, and a failing disk an error.
    // Small enough to be in the core's own cache when it is looked at.
    let piece = 1 << 18
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
    defer { buffer.deallocate() }
    var stream = Stream()
    while true {
      let count = read(descriptor, buffer.baseAddress, piece)
      if count == 0 { return stream.digest }
      if count > 0 {
        stream.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      } else if errno != EINTR {
        throw .system(
          Problem(
            path, found: "cannot be read (\(String(cString: strerror(errno))))", hint: "Check the disk."))
      }
    }
  }

  /// Fingerprint of a text.
  public static func of(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { of($0) } }

  /// Fingerprint of bytes.
  public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
    var stream = Stream()
    stream.add(bytes)
    return stream.digest
  }

  /// The fingerprint of bytes that come in pieces.
  public struct Stream: Sendable {
    private var lanes = SIMD4<UInt64>(
      0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5)
    private var count = 0
    /// Bytes behind the last whole block.
    private var rest: [UInt8] = []

    /// Of no bytes so far.
    public init() {}

    /// Takes up the next piece.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
      count += bytes.count
      var start = 0
      if !rest.isEmpty {
        start = min(32 - rest.count, bytes.count)
        rest.append(contentsOf: bytes[..<start])
        guard rest.count == 32 else { return }
        lanes = rest.withUnsafeBytes { [lanes] in Self.absorbed($0, lanes) }
        rest.removeAll(keepingCapacity: true)
      }
      let whole = start + (bytes.count - start) / 32 * 32
      lanes = Self.absorbed(UnsafeRawBufferPointer(rebasing: bytes[start..<whole]), lanes)
      rest.append(contentsOf: bytes[whole...])
    }

    /// The fingerprint of all pieces as 16 hexadecimal digits.
    public var digest: String {
      var hash = UInt64(count)
      for lane in 0..<4 { hash = Checksum.mixed(hash ^ lanes[lane]) }
      for byte in rest { hash = Checksum.mixed(hash ^ UInt64(byte)) }
      let digits = String(hash, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The lanes after whole blocks.
    private static func absorbed(
      _ blocks: UnsafeRawBufferPointer, _ start: SIMD4<UInt64>
    ) -> SIMD4<UInt64> {
      var lanes = start
      let prime = SIMD4<UInt64>(repeating: 0x9E37_79B1_85EB_CA87)
      var i = 0
      while i < blocks.count {
        let block = blocks.loadUnaligned(fromByteOffset: i, as: SIMD4<UInt64>.self)
        lanes = (lanes ^ block) &* prime
        lanes = (lanes &<< 31) | (lanes &>> 33)
        i += 32
      }
      return lanes
    }
  }

  fileprivate static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &* 0xFF51_AFD7_ED55_8CCD
    z ^= z >> 33
    z &*= 0xC4CE_B9FE_1A85_EC53
    return z ^ (z >> 29)
  }
}
