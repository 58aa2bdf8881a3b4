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

  /// Makes a picture in memory that is not cleared first: `fill` must write every level.
  package init(width: Int, height: Int, filledBy fill: (TargetPlane) -> Void) {
    let count = width * height
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress, count > 0 {
        fill(TargetPlane(base: base, width: width, height: height, stride: width))
      }
      initialized = count
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// One gray level.
  @inlinable
  public subscript(x: Int, y: Int) -> UInt8 {
    get { pixels[y * width + x] }
    set { pixels[y * width + x] = newValue }
  }

  /// Whether all pixels are equal, as in a failed exposure or a blank export.
  public var isConstant: Bool {
    pixels.withUnsafeBufferPointer { levels in
      guard let first = levels.first else { return true }
      // Blocks without an exit inside are compared sixteen pixels at a time; most pictures end in the first one.
      var start = 0
      while start < levels.count {
        let end = min(start + 4096, levels.count)
        var difference: UInt8 = 0
        for i in start..<end { difference |= levels[i] ^ first }
        if difference != 0 { return false }
        start = end
      }
      return true
    }
  }

  /// A part of the picture.
  public func cropped(rows: Range<Int>, columns: Range<Int>) -> GrayImage {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= height && columns.lowerBound >= 0
        && columns.upperBound <= width, "crop: rows \(rows), columns \(columns) of \(width) x \(height)")
    return GrayImage(width: columns.count, height: rows.count) { target in
      reading { source in
        for y in 0..<target.height {
          target.row(y).update(
            from: source.row(rows.lowerBound + y) + columns.lowerBound, count: target.width)
        }
      }
    }
  }

  /// Left and right exchanged.
  public var mirrored: GrayImage {
    GrayImage(width: width, height: height) { target in
      reading { source in
        for y in 0..<height {
          let (from, to) = (source.row(y) + (width - 1), target.row(y))
          for x in 0..<width { to[x] = from[-x] }
        }
      }
    }
  }
}
