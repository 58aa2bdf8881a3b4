import CDicom
import CImageCodecs
import CleftFormats
import Glibc

/// Reads PNG, JPEG and DICOM files into 8-bit gray.
///
/// PNG and JPEG give what OpenCV's gray reading gives: JPEG its luma plane, 16-bit PNG its high bytes, color PNG
/// libpng's gray, all turned upright by their Exif data. DICOM is rendered as `DicomRendering` says.
/// A file is opened once, and what its header claims is held against its size before pixels are allocated.
public enum ImageDecoder {
  /// Pictures with more pixels are refused before anything is allocated.
  public static let maximumPixels = 250_000_000

  /// Reads a picture.
  ///
  /// - Throws: `ImagingError.missing`, `.unreadable`, `.damaged` or `.system`; a truncated file is an error,
  ///   never a gray bottom half.
  public static func decode(_ path: String, dicom: DicomRendering = .display) throws(ImagingError)
    -> GrayImage
  {
    try read(path, dicom: dicom).image
  }

  /// Reads a picture and says what kind of file it is.
  public static func read(
    _ path: String, dicom: DicomRendering = .display
  ) throws(ImagingError) -> (image: GrayImage, kind: PictureKind) {
    let file = try PictureBytes(path)
    guard let kind = kind(of: file.bytes, path) else {
      throw .unreadable(Problem(path, found: "an unknown kind of file", expected: "PNG, JPEG or DICOM"))
    }
    switch kind {
    case .png: return (try decode(file.bytes, path, .png, cleft_png_decode), kind)
    case .jpeg: return (try decode(file.bytes, path, .jpeg, cleft_jpeg_decode), kind)
    case .dicom: return (try DicomDecoder.decode(file.bytes, path, dicom), kind)
    }
  }

  /// The kind by the first bytes.
  ///
  /// A DICOM preamble may imitate another format; a DICOM file without preamble is known by its name only.
  private static func kind(of bytes: UnsafeBufferPointer<UInt8>, _ path: String) -> PictureKind? {
    if bytes.count > 132 && bytes[128..<132].elementsEqual("DICM".utf8) { return .dicom }
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return .png }
    if bytes.starts(with: [0xFF, 0xD8]) { return .jpeg }
    return path.lowercased().hasSuffix(".dcm") ? .dicom : nil
  }

  typealias Codec = (
    UnsafePointer<UInt8>?, Int, Int64, UnsafeMutablePointer<cleft_gray_image>?, UnsafeMutablePointer<CChar>?
  ) -> Int32

  private static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, _ path: String, _ kind: PictureKind, _ codec: Codec
  ) throws(ImagingError) -> GrayImage {
    var image = cleft_gray_image()
    var message = [CChar](repeating: 0, count: 200)
    let status = codec(bytes.baseAddress, bytes.count, Int64(maximumPixels), &image, &message)
    guard status == 0, let pixels = image.pixels else {
      throw refusal(path, kind, status, cText(message))
    }
    defer {
      free(pixels)
      free(image.exif)
    }
    let orientation = image.exif.map {
      ExifOrientation(tiff: UnsafeBufferPointer(start: $0, count: image.exif_count))
    }
    return (orientation ?? .upright).applied(
      to: pixels, width: Int(image.width), height: Int(image.height))
  }

  /// The error for a codec's status and its few words.
  static func refusal(_ path: String, _ kind: PictureKind, _ status: Int32, _ text: String) -> ImagingError {
    let name = kind == .dicom ? "DICOM file" : kind.rawValue.uppercased()
    var problem = Problem(path, found: "a \(name) that cannot be read (\(text))")
    switch Int(status) {
    case CLEFT_CODEC_TOO_LARGE:
      problem.expected = "a size that is allowed and that the file can hold"
      return .unreadable(problem)
    case CLEFT_CODEC_UNSUPPORTED:
      problem.expected =
        kind == .dicom ? "one gray frame of 8 or 16 bits" : "gray or RGB of a kind that is read"
      return .unreadable(problem)
    case CLEFT_CODEC_MEMORY:
      problem.expected = "enough free memory"
      problem.hint = "Stop other programs, or use fewer workers."
      return .system(problem)
    default:
      problem.expected = "a whole file"
      return .damaged(problem)
    }
  }
}

/// The text of a zero-terminated buffer that a codec wrote its complaint into.
func cText(_ buffer: [CChar]) -> String {
  String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
