import CleftFormats
import CleftImaging

/// What is known of a picture that could be decoded.
public struct PictureFacts: Sendable, Equatable, Codable {
  /// Size in pixels, as stored.
  public var width, height: Int
  /// What kind of file it comes from.
  public var kind: PictureKind
  /// Fingerprint of the decoded gray levels, the same for equal pictures in different files.
  public var checksum: String
  /// The gray level of a picture that has only one; nil for all others.
  public var constantLevel: UInt8?

  /// Collects the facts.
  public init(width: Int, height: Int, kind: PictureKind, checksum: String, constantLevel: UInt8? = nil) {
    self.width = width
    self.height = height
    self.kind = kind
    self.checksum = checksum
    self.constantLevel = constantLevel
  }

  /// Looks at a decoded picture.
  public init(_ image: GrayImage, kind: PictureKind) {
    self.init(
      width: image.width, height: image.height, kind: kind,
      checksum: image.pixels.withUnsafeBytes { Checksum.of($0) },
      constantLevel: image.isConstant ? image.pixels.first : nil)
  }
}

/// Why a picture must not be used.
public enum PictureFault: String, Sendable, Codable, CaseIterable {
  /// There is no file.
  case missing
  /// The file is no picture, or of a sort that is not read.
  case unreadable
  /// The file starts as a picture and does not go on as one.
  case damaged
  /// All its pixels are equal.
  case constant
  /// The process that decoded it ended.
  case crashed
  /// The process that decoded it did not answer in time.
  case slow
}

/// What came of decoding one picture.
public enum PictureFinding: Sendable, Equatable, Codable {
  /// It is a whole picture.
  case sound(facts: PictureFacts)
  /// It is not; the reason is one line that does not repeat the path.
  case faulty(fault: PictureFault, reason: String)

  /// Decodes a picture in this process.
  public init(of path: String, dicom: DicomRendering) {
    do {
      let (image, kind) = try ImageDecoder.read(path, dicom: dicom)
      self = .sound(facts: PictureFacts(image, kind: kind))
    } catch {
      self = .faulty(fault: Self.fault(error), reason: Self.reason(error.problem))
    }
  }

  /// What is known of the picture; nil if it could not be decoded.
  public var facts: PictureFacts? {
    if case .sound(let facts) = self { facts } else { nil }
  }

  /// What an error of the decoder means for its picture.
  static func fault(_ error: ImagingError) -> PictureFault {
    switch error {
    case .missing: .missing
    case .damaged: .damaged
    case .unreadable, .system, .unwritable: .unreadable
    }
  }

  /// The error in one line, without its path.
  static func reason(_ problem: Problem) -> String {
    let text =
      problem.expected.isEmpty ? problem.found : "\(problem.found); expected \(problem.expected)"
    return text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
