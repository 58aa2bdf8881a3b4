/// How a camera or an exporter was held: tag 0x0112 of Exif data.
///
/// Found and applied as OpenCV's gray reading does, so that a turned radiograph is upright in both programs.
enum ExifOrientation: UInt16, CaseIterable {
  case upright = 1
  case mirrored, upsideDown, flipped
  case transposed, quarterRight, transverse, quarterLeft

  /// Reads the orientation out of a TIFF structure; anything odd in it gives `upright`.
  init(tiff: UnsafeBufferPointer<UInt8>) {
    self = Self.find(TIFFReader(tiff)) ?? .upright
  }

  private static func find(_ reader: TIFFReader?) -> ExifOrientation? {
    guard let reader, reader.number16(at: 2) == 42, let start = reader.number32(at: 4),
      let count = reader.number16(at: start)
    else { return nil }
    for entry in 0..<Int(count) {
      let offset = start + 2 + 12 * entry
      guard let tag = reader.number16(at: offset) else { return nil }
      if tag == 0x0112 { return reader.number16(at: offset + 8).flatMap(ExifOrientation.init(rawValue:)) }
    }
    return nil
  }

  /// Whether rows become columns.
  var swapsSides: Bool { rawValue >= Self.transposed.rawValue }

  /// The upright picture of stored pixels.
  func applied(to pixels: UnsafePointer<UInt8>, width: Int, height: Int) -> GrayImage {
    let count = width * height
    if self == .upright {
      return GrayImage(
        width: width, height: height, pixels: Array(UnsafeBufferPointer(start: pixels, count: count)))
    }
    let (newWidth, newHeight) = swapsSides ? (height, width) : (width, height)
    let walk = walk(width: width, height: height)
    let turned = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      for y in 0..<newHeight {
        var source = walk.start + y * walk.down
        for x in 0..<newWidth {
          target[y * newWidth + x] = pixels[source]
          source += walk.right
        }
      }
      initialized = count
    }
    return GrayImage(width: newWidth, height: newHeight, pixels: turned)
  }

  /// Where the stored pixels' walk starts, and its steps for one pixel right and one down in the result.
  private func walk(width: Int, height: Int) -> (start: Int, right: Int, down: Int) {
    let (lastColumn, lastRow) = (width - 1, (height - 1) * width)
    return switch self {
    case .upright: (0, 1, width)
    case .mirrored: (lastColumn, -1, width)
    case .upsideDown: (lastRow + lastColumn, -1, -width)
    case .flipped: (lastRow, 1, -width)
    case .transposed: (0, width, 1)
    case .quarterRight: (lastRow, -width, 1)
    case .transverse: (lastRow + lastColumn, -width, -1)
    case .quarterLeft: (lastColumn, width, -1)
    }
  }
}

/// Numbers of a TIFF structure in its byte order; nil outside of it.
private struct TIFFReader {
  let bytes: UnsafeBufferPointer<UInt8>
  let isBigEndian: Bool

  /// Takes the byte order from the first two bytes, `II` or `MM`.
  init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.count >= 8, bytes[0] == bytes[1], [0x49, 0x4D].contains(bytes[0]) else { return nil }
    self.bytes = bytes
    isBigEndian = bytes[0] == 0x4D
  }

  func number16(at offset: Int) -> UInt16? {
    guard offset >= 0, offset + 2 <= bytes.count else { return nil }
    let (a, b) = (UInt16(bytes[offset]), UInt16(bytes[offset + 1]))
    return isBigEndian ? a << 8 | b : b << 8 | a
  }

  func number32(at offset: Int) -> Int? {
    guard let a = number16(at: offset), let b = number16(at: offset + 2) else { return nil }
    return isBigEndian ? Int(a) << 16 | Int(b) : Int(b) << 16 | Int(a)
  }
}
