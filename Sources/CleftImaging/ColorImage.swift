/// A picture in red, green and blue, 8 bits each, row by row, top first.
public struct ColorImage: Sendable, Equatable {
  /// Size in pixels.
  public let width, height: Int
  /// Three bytes a pixel.
  public var pixels: [UInt8]

  /// Makes a picture from its bytes.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == 3 * width * height, "color image: \(pixels.count) bytes for \(width) x \(height)")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Makes a picture that looks like a gray one.
  public init(_ image: GrayImage) {
    self.init(width: image.width, height: image.height, pixels: image.pixels.flatMap { [$0, $0, $0] })
  }

  /// The color of one pixel, each channel 0 … 255; what is set is rounded and held to these ends.
  public subscript(x: Int, y: Int) -> SIMD3<Float> {
    get {
      let first = 3 * (y * width + x)
      return SIMD3(Float(pixels[first]), Float(pixels[first + 1]), Float(pixels[first + 2]))
    }
    set {
      let first = 3 * (y * width + x)
      for channel in 0..<3 { pixels[first + channel] = UInt8(max(0, min(255, newValue[channel])).rounded()) }
    }
  }
}
