import CleftFormats
import CleftImaging
import Foundation

/// Which pictures were found good or constant before, so that the next start only looks at lengths and times.
///
/// Unreadable ones are not kept: what failed once, a disk or a permission, may be mended without a trace on the file.
struct PictureMemo {
  private static let columns = ["picture", "bytes", "modified_ns", "rendering", "decoder", "verdict"]
  private static let good = "good"
  private let path: String
  private let dicom: DicomRendering
  private var verdicts: [String: (stamp: FileStamp, verdict: String)] = [:]
  /// Lines about the other rendering, which stay.
  private var others: [[String]] = []
  private var isChanged = false

  /// Reads a memo; anything that is not one counts as empty and is written over.
  init(_ path: String, dicom: DicomRendering) {
    self.path = path
    self.dicom = dicom
    guard let data = try? FileSystem.read(path) else { return }
    var (verdicts, others) = (verdicts, others)
    let defects = AppendedTable.read(data, columns: Self.columns) { fields in
      guard let bytes = Int(fields[1]), let modified = Int(fields[2]),
        let rendering = DicomRendering(rawValue: fields[3]),
        fields[4] == "\(PreparedPictures.decoderVersion)",
        fields[5] == Self.good || Self.isConstant(fields[5])
      else { return false }
      if rendering == dicom {
        verdicts[fields[0]] = (FileStamp(bytes: bytes, modified: modified), fields[5])
      } else {
        others.append(fields)
      }
      return true
    }
    (self.verdicts, self.others) = (verdicts, others)
    isChanged = defects != 0
  }

  /// What was found about a file that has not changed since; nil if it has to be looked at.
  func finding(_ path: String, _ stamp: FileStamp) -> PictureProblem?? {
    guard let known = verdicts[path], known.stamp == stamp else { return nil }
    return .some(known.verdict == Self.good ? nil : PictureProblem(.constant, known.verdict))
  }

  /// Keeps what was found about a file.
  mutating func keep(_ problem: PictureProblem?, _ path: String, _ stamp: FileStamp) {
    guard problem == nil || problem?.fault == .constant, AppendedTable.fits(path) else { return }
    verdicts[path] = (stamp, problem?.reason ?? Self.good)
    isChanged = true
  }

  /// Writes the memo if anything is new.
  func write() throws(FormatError) {
    if !isChanged { return }
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    let own = verdicts.sorted { $0.key < $1.key }.map { name, known in
      [
        name, "\(known.stamp.bytes)", "\(known.stamp.modified)", dicom.rawValue,
        "\(PreparedPictures.decoderVersion)", known.verdict,
      ]
    }
    var text = AppendedTable.line(Self.columns)
    for fields in own + others { text += AppendedTable.line(fields) }
    try FileSystem.write(Data(text.utf8), to: path, isDurable: false)
  }

  private static func isConstant(_ verdict: String) -> Bool { verdict.hasPrefix("constant: ") }
}
