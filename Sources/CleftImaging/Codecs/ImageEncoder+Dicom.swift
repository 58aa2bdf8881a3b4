import CDicom
import CleftFormats
import Foundation

extension ImageEncoder {
  /// How the pixels of a DICOM file are stored.
  public enum DicomTransferSyntax: String, Sendable, Codable, CaseIterable {
    /// Uncompressed.
    case explicitLittleEndian
    /// Run lengths, exact.
    case rle
    /// One JPEG stream of 8 bits, as in RSNA's files; not exact.
    case jpegBaseline
  }

  /// What a synthetic radiograph says about itself.
  public struct DicomFields: Sendable {
    /// Patient and instance identifiers.
    public var patientID, instanceUID, studyUID, seriesUID: String
    /// `M`, `F`; years as `045Y`; `AP` or `PA`.
    public var sex, age, view: String
    /// Whether small values are bright.
    public var isMonochrome1: Bool
    /// 8 … 16.
    public var bitsStored: Int
    /// Center and width of what is shown, in rescaled values; nil leaves it to the viewer.
    public var window: (center: Double, width: Double)?
    /// Slope and intercept from stored values to what they measure.
    public var rescale: (slope: Double, intercept: Double)?
    /// How the pixels are stored.
    public var transferSyntax: DicomTransferSyntax
    /// 1 … 100, for `jpegBaseline`.
    public var jpegQuality = 90

    /// Collects the fields.
    public init(
      patientID: String, instanceUID: String, studyUID: String, seriesUID: String, sex: String, age: String,
      view: String, isMonochrome1: Bool, bitsStored: Int, window: (center: Double, width: Double)? = nil,
      rescale: (slope: Double, intercept: Double)? = nil,
      transferSyntax: DicomTransferSyntax = .explicitLittleEndian
    ) {
      (self.patientID, self.instanceUID, self.studyUID, self.seriesUID) = (
        patientID, instanceUID, studyUID, seriesUID
      )
      (self.sex, self.age, self.view) = (sex, age, view)
      (self.isMonochrome1, self.bitsStored) = (isMonochrome1, bitsStored)
      (self.window, self.rescale, self.transferSyntax) = (window, rescale, transferSyntax)
    }
  }

  /// Writes a DICOM radiograph beside its place and renames it.
  ///
  /// - Throws: `ImagingError.unwritable`.
  public static func writeDicom(
    _ values: [UInt16], width: Int, height: Int, _ fields: DicomFields, to path: String
  ) throws(ImagingError) {
    precondition(values.count == width * height, "DICOM: \(values.count) values for \(width) x \(height)")
    precondition(
      fields.transferSyntax != .jpegBaseline || fields.bitsStored == 8,
      "DICOM: JPEG baseline of \(fields.bitsStored) bits")
    var stream: Data?
    if fields.transferSyntax == .jpegBaseline {
      let levels = values.map { UInt8(truncatingIfNeeded: $0) }
      stream = try jpeg(
        GrayImage(width: width, height: height, pixels: levels), quality: fields.jpegQuality)
    }
    var message = [CChar](repeating: 0, count: 200)
    let partial = FileSystem.partialPath(of: path)
    let status = withFields(fields, stream.map(Array.init)) { raw in
      cleft_dicom_write(partial, values, Int32(width), Int32(height), raw, &message)
    }
    guard status == 0 else { throw refused(path, partial, cText(message)) }
    guard rename(partial, path) == 0 else { throw refused(path, partial, String(cString: strerror(errno))) }
  }

  private static func refused(_ path: String, _ partial: String, _ reason: String) -> ImagingError {
    unlink(partial)
    return .unwritable(
      Problem(
        path, found: "cannot be written (\(reason))", hint: "Free some space, or choose another folder."))
  }

  /// Lends the fields as the C side takes them.
  private static func withFields(
    _ fields: DicomFields, _ stream: [UInt8]?, _ body: (UnsafePointer<cleft_dicom_fields>) -> Int32
  ) -> Int32 {
    let numbers = [
      fields.window?.center, fields.window?.width, fields.rescale?.slope, fields.rescale?.intercept,
    ]
    let texts: [String?] =
      [
        fields.patientID, fields.instanceUID, fields.studyUID, fields.seriesUID, fields.sex, fields.age,
        fields.view,
      ] + numbers.map { $0.map(decimalString) }
    let lent = texts.map { $0.flatMap { strdup($0) } }
    defer { for text in lent { free(text) } }
    return (stream ?? []).withUnsafeBufferPointer { bytes in
      var raw = cleft_dicom_fields()
      raw.patient_id = UnsafePointer(lent[0])
      raw.sop_instance_uid = UnsafePointer(lent[1])
      raw.study_instance_uid = UnsafePointer(lent[2])
      raw.series_instance_uid = UnsafePointer(lent[3])
      raw.sex = UnsafePointer(lent[4])
      raw.age = UnsafePointer(lent[5])
      raw.view = UnsafePointer(lent[6])
      raw.window_center = UnsafePointer(lent[7])
      raw.window_width = UnsafePointer(lent[8])
      raw.rescale_slope = UnsafePointer(lent[9])
      raw.rescale_intercept = UnsafePointer(lent[10])
      raw.is_monochrome1 = fields.isMonochrome1 ? 1 : 0
      raw.bits_stored = Int32(fields.bitsStored)
      raw.is_rle = fields.transferSyntax == .rle ? 1 : 0
      raw.jpeg = stream == nil ? nil : bytes.baseAddress
      raw.jpeg_count = bytes.count
      return body(&raw)
    }
  }

  /// A number in at most the 16 characters of a decimal string.
  private static func decimalString(_ number: Double) -> String { String(format: "%.9g", number) }
}
