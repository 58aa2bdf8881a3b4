/// An 8-bit gray picture, row by row, top first.
public struct GrayImage: Sendable, Equatable {
  /// Size in pixels.
  public let width, height: Int
  /// Gray levels.
  public var pixels: [UInt8]

  /// Makes a picture from its gray levels.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == width * height, "gray image: \(pixels.count) pixels for \(width) x \(height)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Makes a picture of one gray level.
  public init(width: Int, height: Int, level: UInt8 = 0) {
    self.init(width: width, height: height, pixels: [UInt8](repeating: level, count: width * height))
  }

  /// One gray level.
  public subscript(x: Int, y: Int) -> UInt8 {
    get { pixels[y * width + x] }
    set { pixels[y * width + x] = newValue }
  }

  /// Whether all pixels are equal, as in a failed exposure or a blank export.
  public var isConstant: Bool { pixels.allSatisfy { $0 == pixels.first } }

  /// A part of the picture.
  public func cropped(rows: Range<Int>, columns: Range<Int>) -> GrayImage {
    var result = GrayImage(width: columns.count, height: rows.count)
    for (target, row) in rows.enumerated() {
      let source = row * width + columns.lowerBound
      result.pixels.replaceSubrange(
        target * columns.count..<(target + 1) * columns.count, with: pixels[source..<source + columns.count])
    }
    return result
  }

  /// Left and right exchanged.
  public var mirrored: GrayImage {
    var result = self
    for y in 0..<height {
      for x in 0..<width { result.pixels[y * width + x] = pixels[y * width + width - 1 - x] }
    }
    return result
  }
}
