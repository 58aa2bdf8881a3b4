import CImageCodecs
import CleftFormats
import Foundation

/// Writes pictures.
public enum ImageEncoder {
  /// Bytes of a gray PNG.
  public static func png(_ image: GrayImage) throws(ImagingError) -> Data {
    try png(width: image.width, height: image.height, channels: 1, pixels: image.pixels)
  }

  /// Bytes of a color PNG.
  public static func png(_ image: ColorImage) throws(ImagingError) -> Data {
    try png(width: image.width, height: image.height, channels: 3, pixels: image.pixels)
  }

  /// Bytes of a PNG with 1 (gray), 3 (red, green, blue) or 4 (alpha too) channels, interleaved.
  public static func png(width: Int, height: Int, channels: Int, pixels: [UInt8]) throws(ImagingError) -> Data
  {
    precondition(
      [1, 3, 4].contains(channels) && pixels.count == width * height * channels,
      "png: \(pixels.count) bytes for \(width) x \(height) x \(channels)")
    return try encoded { cleft_png_encode(pixels, Int32(width), Int32(height), Int32(channels), $0, $1, $2) }
  }

  /// Bytes of a gray JPEG.
  public static func jpeg(_ image: GrayImage, quality: Int) throws(ImagingError) -> Data {
    try encoded {
      cleft_jpeg_encode(image.pixels, Int32(image.width), Int32(image.height), Int32(quality), $0, $1, $2)
    }
  }

  private static func encoded(
    _ body: (
      UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>, UnsafeMutablePointer<Int>,
      UnsafeMutablePointer<CChar>
    ) -> Int32
  ) throws(ImagingError) -> Data {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    var message = [CChar](repeating: 0, count: 200)
    guard body(&bytes, &count, &message) == 0, let bytes else {
      throw .unwritable(Problem("picture", found: "cannot be encoded (\(cText(message)))"))
    }
    defer { free(bytes) }
    return Data(bytes: bytes, count: count)
  }
}
