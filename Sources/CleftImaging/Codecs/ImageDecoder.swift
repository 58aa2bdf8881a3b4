import CDicom
import CImageCodecs
import CleftFormats
import Foundation

/// Reads PNG, JPEG and DICOM files into 8-bit gray, as the published program does.
///
/// JPEG gives its luma plane, 16-bit PNG its high bytes, color PNG libpng's gray. DICOM pixels are scaled by
/// 255 / maximum, rounded half to even, made positive and held to 0 … 255; MONOCHROME1 is then inverted.
public enum ImageDecoder {
  /// Pictures with more pixels are refused before anything is allocated.
  public static let maximumPixels = 400_000_000

  /// Reads a picture.
  ///
  /// - Throws: `ImagingError.missing` or `.unreadable`; a truncated file is an error, never a gray bottom half.
  public static func decode(_ path: String, dicom: DicomRendering = .display) throws(ImagingError)
    -> GrayImage
  {
    try read(path, dicom: dicom).image
  }

  /// Reads a picture and says what kind of file it is.
  public static func read(
    _ path: String, dicom: DicomRendering = .display
  ) throws(ImagingError) -> (image: GrayImage, kind: PictureKind) {
    guard FileSystem.exists(path) else {
      throw .missing(
        Problem(path, found: "no such file", hint: "Check --data_dir and the path in the table."))
    }
    let data: Data
    do { data = try FileSystem.read(path) } catch { throw .unreadable(error.problem) }
    let isDicom = data.count > 132 && data[128..<132].elementsEqual("DICM".utf8)
    if isDicom || path.lowercased().hasSuffix(".dcm") { return (try decodeDicom(path), .dicom) }
    if data.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      return (try decode(data, path, "PNG", cleft_png_decode), .png)
    }
    if data.starts(with: [0xFF, 0xD8]) { return (try decode(data, path, "JPEG", cleft_jpeg_decode), .jpeg) }
    throw .unreadable(
      Problem(
        path, found: data.isEmpty ? "an empty file" : "an unknown kind of file",
        expected: "PNG, JPEG or DICOM"))
  }

  private typealias Codec = (
    UnsafePointer<UInt8>?, Int, Int64, UnsafeMutablePointer<cleft_gray_image>?, UnsafeMutablePointer<CChar>?
  ) -> Int32

  private static func decode(
    _ data: Data, _ path: String, _ kind: String, _ codec: Codec
  ) throws(ImagingError) -> GrayImage {
    var image = cleft_gray_image()
    var message = [CChar](repeating: 0, count: 200)
    let status = data.withUnsafeBytes { bytes in
      codec(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, Int64(maximumPixels), &image, &message)
    }
    guard status == 0, let pixels = image.pixels else {
      throw .unreadable(
        Problem(path, found: "a \(kind) that cannot be decoded (\(cText(message)))", expected: "a whole file")
      )
    }
    defer { free(pixels) }
    guard image.warnings == 0 else {
      throw .unreadable(Problem(path, found: "a damaged or truncated \(kind)", expected: "a whole file"))
    }
    let (width, height) = (Int(image.width), Int(image.height))
    return GrayImage(
      width: width, height: height, pixels: Array(UnsafeBufferPointer(start: pixels, count: width * height)))
  }

  private static func decodeDicom(_ path: String) throws(ImagingError) -> GrayImage {
    var image = cleft_dicom_image()
    var message = [CChar](repeating: 0, count: 200)
    guard cleft_dicom_read(path, Int64(maximumPixels), &image, &message) == 0, let values = image.values
    else {
      throw .unreadable(
        Problem(
          path, found: "a DICOM file that cannot be decoded (\(cText(message)))", expected: "one gray frame"))
    }
    defer { free(values) }
    guard image.frames == 1 else {
      throw .unreadable(Problem(path, found: "\(image.frames) frames", expected: "one gray frame"))
    }
    let count = Int(image.width) * Int(image.height)
    return GrayImage(
      width: Int(image.width), height: Int(image.height),
      pixels: scaled(UnsafeBufferPointer(start: values, count: count), isInverted: image.is_monochrome1 != 0))
  }

  /// Stored values to gray levels: times 255 / maximum in float32, half to even, magnitude, held to 0 … 255.
  static func scaled(_ values: UnsafeBufferPointer<Int32>, isInverted: Bool) -> [UInt8] {
    let top = values.max() ?? 0
    let factor = top == 0 ? 0 : Float(255 / Double(top))
    return values.map { value in
      let level = UInt8(min(abs(Float(value) * factor).rounded(.toNearestOrEven), 255))
      return isInverted ? 255 - level : level
    }
  }
}

/// The text of a zero-terminated buffer that a codec wrote its complaint into.
func cText(_ buffer: [CChar]) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
