import CDicom
import CImageCodecs
import CleftFormats
import Foundation

/// Writes pictures.
public enum ImageEncoder {
  /// Bytes of a gray PNG.
  public static func png(_ image: GrayImage) throws(ImagingError) -> Data {
    try png(width: image.width, height: image.height, channels: 1, pixels: image.pixels)
  }

  /// Bytes of a PNG with 1 (gray) or 3 (red, green, blue) channels, interleaved.
  public static func png(width: Int, height: Int, channels: Int, pixels: [UInt8]) throws(ImagingError) -> Data
  {
    try encoded { cleft_png_encode(pixels, Int32(width), Int32(height), Int32(channels), $0, $1, $2) }
  }

  /// Bytes of a gray JPEG.
  public static func jpeg(_ image: GrayImage, quality: Int) throws(ImagingError) -> Data {
    try encoded {
      cleft_jpeg_encode(image.pixels, Int32(image.width), Int32(image.height), Int32(quality), $0, $1, $2)
    }
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

    /// Collects the fields.
    public init(
      patientID: String, instanceUID: String, studyUID: String, seriesUID: String, sex: String, age: String,
      view: String, isMonochrome1: Bool, bitsStored: Int
    ) {
      (self.patientID, self.instanceUID, self.studyUID, self.seriesUID) = (
        patientID, instanceUID, studyUID, seriesUID
      )
      (self.sex, self.age, self.view) = (sex, age, view)
      (self.isMonochrome1, self.bitsStored) = (isMonochrome1, bitsStored)
    }
  }

  /// Writes an uncompressed DICOM radiograph beside its place and renames it.
  public static func writeDicom(
    _ values: [UInt16], width: Int, height: Int, _ fields: DicomFields, to path: String
  ) throws(ImagingError) {
    var message = [CChar](repeating: 0, count: 200)
    let partial = path + ".partial"
    let status = fields.patientID.withCString { patient in
      fields.instanceUID.withCString { instance in
        fields.studyUID.withCString { study in
          fields.seriesUID.withCString { series in
            fields.sex.withCString { sex in
              fields.age.withCString { age in
                fields.view.withCString { view in
                  var raw = cleft_dicom_fields(
                    patient_id: patient, sop_instance_uid: instance, study_instance_uid: study,
                    series_instance_uid: series, sex: sex, age: age, view: view,
                    is_monochrome1: fields.isMonochrome1 ? 1 : 0, bits_stored: Int32(fields.bitsStored))
                  return cleft_dicom_write(partial, values, Int32(width), Int32(height), &raw, &message)
                }
              }
            }
          }
        }
      }
    }
    guard status == 0, rename(partial, path) == 0 else {
      unlink(partial)
      throw .unwritable(
        Problem(path, found: "cannot be written (\(cText(message)))", hint: "Free some space."))
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
