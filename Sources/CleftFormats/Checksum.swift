import CleftTensor
import Foundation

/// A 64-bit fingerprint of bytes: notices damage and changes, is no defense against forgery.
public enum Checksum {
  /// Fingerprint of a file as 16 hexadecimal digits.
  public static func ofFile(_ path: String) throws(FormatError) -> String {
    let file = try MappedFile(path)
    return of(UnsafeRawBufferPointer(start: file.base, count: file.count))
  }

  /// Fingerprint of a text.
  public static func of(_ text: String) -> String { Array(text.utf8).withUnsafeBytes { of($0) } }

  /// Fingerprint of bytes: four multiply-rotate lanes over 32-byte blocks, mixed at the end.
  public static func of(_ bytes: UnsafeRawBufferPointer) -> String {
    var lanes = SIMD4<UInt64>(
      0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5)
    let prime = SIMD4<UInt64>(repeating: 0x9E37_79B1_85EB_CA87)
    var i = 0
    while i + 32 <= bytes.count {
      let block = bytes.loadUnaligned(fromByteOffset: i, as: SIMD4<UInt64>.self)
      lanes = (lanes ^ block) &* prime
      lanes = (lanes &<< 31) | (lanes &>> 33)
      i += 32
    }
    var hash = UInt64(bytes.count)
    for lane in 0..<4 { hash = mixed(hash ^ lanes[lane]) }
    while i < bytes.count {
      hash = mixed(hash ^ UInt64(bytes[i]))
      i += 1
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &* 0xFF51_AFD7_ED55_8CCD
    z ^= z >> 33
    z &*= 0xC4CE_B9FE_1A85_EC53
    return z ^ (z >> 29)
  }
}
