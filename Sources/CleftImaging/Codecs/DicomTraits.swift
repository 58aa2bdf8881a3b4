import CDicom
import CleftFormats

/// Who is on a DICOM picture and how it was taken, as far as its header says.
public struct DicomTraits: Sendable, Equatable {
  /// PatientSex as written, mostly `F`, `M` or `O`; nil if it is not there.
  public var sex: String?
  /// PatientAge in years; nil if it is not there or no age.
  public var ageYears: Double?
  /// ViewPosition as written, for example `AP`; nil if it is not there.
  public var view: String?

  /// Bytes in which nearly every header ends.
  private static let headByteCount = 64 << 10

  /// Reads the header of a file; nil if there is no file, or none with a DICOM header.
  ///
  /// Pixels are neither read nor looked at: what is wrong with them does not matter here.
  public init?(_ path: String) {
    let limits = [Self.headByteCount, .max]
    guard let header = limits.lazy.compactMap({ Self.header(path, limit: $0) }).first else { return nil }
    func text<Characters>(_ characters: Characters) -> String? {
      let text = withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      return text.isEmpty ? nil : text
    }
    sex = text(header.sex)
    ageYears = text(header.age).flatMap(Self.years)
    view = text(header.view)
  }

  /// What the first bytes of a file hold; nil if its header does not end in them.
  private static func header(_ path: String, limit: Int) -> cleft_dicom_traits? {
    guard let file = try? PictureBytes(path, limit: limit) else { return nil }
    var header = cleft_dicom_traits()
    var message = [CChar](repeating: 0, count: 200)
    let status = cleft_dicom_read_traits(file.bytes.baseAddress, file.bytes.count, &header, &message)
    return status == 0 ? header : nil
  }

  /// Years of an age as DICOM writes it, `045Y`, `018M`, `003W` or `010D`, or as tables do, `45` or `45.5`; nil for
  /// anything else, and for more than 150 years.
  public static func years(_ text: String) -> Double? {
    var number = text.drop(while: \.isWhitespace)
    while number.last?.isWhitespace == true { number.removeLast() }
    var unit: Double?
    switch number.last {
    case "Y", "y": unit = 1
    case "M", "m": unit = 1 / 12
    case "W", "w": unit = 7 / 365.25
    case "D", "d": unit = 1 / 365.25
    default: break
    }
    if unit != nil { number.removeLast() }
    guard let count = Double(number) else { return nil }
    let years = count * (unit ?? 1)
    return (0...150).contains(years) ? years : nil
  }
}
