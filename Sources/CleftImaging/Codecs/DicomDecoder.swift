import CDicom
import CImageCodecs
import CleftFormats
import Glibc

/// Reads the one gray frame of a DICOM file and renders it through one table over its cells.
enum DicomDecoder {
  /// Decodes a file that lies in memory.
  static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ path: String, _ rendering: DicomRendering
  ) throws(ImagingError) -> GrayImage {
    var image = cleft_dicom_image()
    var message = [CChar](repeating: 0, count: 200)
    let status = cleft_dicom_read(
      bytes.baseAddress, bytes.count, Int64(ImageDecoder.maximumPixels), &image, &message)
    guard status == 0 else { throw ImageDecoder.refusal(path, .dicom, status, cText(message)) }
    defer { cleft_dicom_free(&image) }
    let (width, height) = (Int(image.width), Int(image.height))
    let count = width * height
    let shades = DicomShades(image)
    if let cells = image.cells16 {
      let cells = UnsafeBufferPointer(start: cells, count: count)
      return GrayImage(
        width: width, height: height, pixels: try shades.levels(of: cells, rendering, path))
    }
    if let cells = image.cells8 {
      let cells = UnsafeBufferPointer(start: cells, count: count)
      return GrayImage(
        width: width, height: height, pixels: try shades.levels(of: cells, rendering, path))
    }
    return try withJPEG(image, path) { cells throws(ImagingError) in
      GrayImage(width: width, height: height, pixels: try shades.levels(of: cells, rendering, path))
    }
  }

  /// The cells of a frame that is an 8-bit JPEG stream; libjpeg-turbo is several times faster than DCMTK's decoder.
  private static func withJPEG(
    _ image: cleft_dicom_image, _ path: String,
    _ body: (UnsafeBufferPointer<UInt8>) throws(ImagingError) -> GrayImage
  ) throws(ImagingError) -> GrayImage {
    var frame = cleft_gray_image()
    var message = [CChar](repeating: 0, count: 200)
    let status = cleft_jpeg_decode(
      image.jpeg, image.jpeg_count, Int64(ImageDecoder.maximumPixels), &frame, &message)
    guard status == 0, let pixels = frame.pixels else {
      throw ImageDecoder.refusal(path, .dicom, status, cText(message))
    }
    defer {
      free(pixels)
      free(frame.exif)
    }
    guard frame.width == image.width, frame.height == image.height else {
      throw ImageDecoder.refusal(path, .dicom, 1, "the JPEG frame's size differs from Columns x Rows")
    }
    return try body(UnsafeBufferPointer(start: pixels, count: Int(frame.width) * Int(frame.height)))
  }
}
