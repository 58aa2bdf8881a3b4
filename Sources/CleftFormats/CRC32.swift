import Foundation

/// A checksum of 32 bits, eight bytes a step.
///
/// - Source: ISO 3309 and RFC 3720, appendix B.4; the tables are those of "slicing by 8".
package struct CRC32 {
  private var state: UInt32 = 0xFFFF_FFFF
  private let tables: [UInt32]

  /// Which remainders are taken.
  package enum Polynomial {
    /// That of zip archives and PNG files, 0xEDB88320.
    case zip
    /// Castagnoli's, of TensorBoard's records ("CRC-32C"), 0x82F63B78.
    case castagnoli
  }

  /// Starts with no bytes.
  package init(_ polynomial: Polynomial = .zip) {
    tables = polynomial == .zip ? Self.zipTables : Self.castagnoliTables
  }

  /// Checksum of the bytes so far.
  package var value: UInt32 { ~state }

  /// Takes in more bytes.
  package mutating func update(_ data: Data) {
    state = tables.withUnsafeBufferPointer { tables in
      data.withUnsafeBytes { Self.updated(state, $0, tables) }
    }
  }

  private static func updated(
    _ state: UInt32, _ bytes: UnsafeRawBufferPointer, _ tables: UnsafeBufferPointer<UInt32>
  ) -> UInt32 {
    var state = state
    var i = 0
    while i + 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)) ^ UInt64(state)
      state = 0
      for lane in 0..<8 {
        state ^= tables[(7 - lane) << 8 | Int(truncatingIfNeeded: (word >> UInt64(8 * lane)) & 0xFF)]
      }
      i += 8
    }
    while i < bytes.count {
      state = tables[Int((state ^ UInt32(bytes[i])) & 0xFF)] ^ (state >> 8)
      i += 1
    }
    return state
  }

  private static let zipTables = makeTables(0xEDB8_8320)
  private static let castagnoliTables = makeTables(0x82F6_3B78)

  /// Eight tables of 256: table `k` advances a byte past `k` zero bytes.
  private static func makeTables(_ polynomial: UInt32) -> [UInt32] {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? polynomial ^ (value >> 1) : value >> 1 }
      tables[byte] = value
    }
    for place in 256..<tables.count {
      let previous = tables[place - 256]
      tables[place] = tables[Int(previous & 0xFF)] ^ (previous >> 8)
    }
    return tables
  }
}
