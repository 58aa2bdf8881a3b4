import CleftFormats
import CleftImaging
import Foundation

/// What the index says about one picture.
struct PreparedRow: Sendable, Equatable {
  /// The picture's name, see `PathNaming`.
  var name: String
  /// Its file when it was prepared.
  var stamp: FileStamp
  /// What kind of file it is; nil if it could not be read.
  var kind: PictureKind?
  /// How stored values became gray levels; nil unless the kind is DICOM.
  var rendering: DicomRendering?
  /// Which record of `pictures.bin`; nil if the picture could not be read.
  var record: Int?
  /// Why it cannot be used; empty if it can.
  var problem: String
  /// Fingerprint of the record, 16 hexadecimal digits.
  var checksum: String

  /// What rows replace one another by: a DICOM file has one a rendering.
  var key: String { rendering.map { Self.key(name, $0) } ?? name }

  /// The key of a DICOM file.
  static func key(_ name: String, _ rendering: DicomRendering) -> String { name + "\n" + rendering.rawValue }

  /// The line of the index.
  var line: String {
    AppendedTable.line([
      name, "\(stamp.bytes)", "\(stamp.modified)", kind?.rawValue ?? "", rendering?.rawValue ?? "",
      record.map { "\($0)" } ?? "", problem, checksum,
    ])
  }

  init(
    name: String, stamp: FileStamp, kind: PictureKind? = nil, rendering: DicomRendering? = nil,
    problem: String = ""
  ) {
    self.name = name
    self.stamp = stamp
    self.kind = kind
    self.rendering = rendering
    self.problem = problem
    checksum = ""
  }

  /// Reads the fields of a line; nil if they make no sense.
  init?(_ fields: [String]) {
    guard let bytes = Int(fields[1]), let modified = Int(fields[2]), !fields[0].isEmpty else { return nil }
    self.init(
      name: fields[0], stamp: FileStamp(bytes: bytes, modified: modified),
      kind: PictureKind(rawValue: fields[3]),
      rendering: DicomRendering(rawValue: fields[4]), problem: fields[6])
    checksum = fields[7]
    record = Int(fields[5])
    let isUnreadable = fields[5].isEmpty && fields[3].isEmpty && !problem.isEmpty
    let isPicture = kind != nil && (record ?? -1) >= 0 && checksum.utf8.count == 16
    let rendersOnlyDicom = (kind == .dicom) == (rendering != nil) && (rendering != nil) == !fields[4].isEmpty
    if !(isUnreadable || isPicture && rendersOnlyDicom) { return nil }
  }
}

/// The listing beside the records.
struct PreparedIndex {
  static let columns = ["path", "bytes", "modified_ns", "kind", "rendering", "record", "problem", "checksum"]

  /// Rows by key, the last one of each.
  var rows: [String: PreparedRow] = [:]
  /// Lines that are torn, make no sense, name a record that is not there, or were replaced.
  var defects = 0

  /// Reads what is whole; an index that is not there is empty.
  ///
  /// - Parameter recordCount: records that the file of pictures has in full.
  init(_ path: String, recordCount: Int) throws(FormatError) {
    guard FileSystem.exists(path) else { return }
    let data = try FileSystem.read(path)
    var (rows, replaced) = (rows, 0)
    let torn = AppendedTable.read(data, columns: Self.columns) { fields in
      guard let row = PreparedRow(fields), (row.record ?? -1) < recordCount else { return false }
      if rows.updateValue(row, forKey: row.key) != nil { replaced += 1 }
      return true
    }
    // A first line cut short is what a kill at the very start leaves behind.
    if torn == nil, !AppendedTable.line(Self.columns).utf8.starts(with: data) {
      throw .malformed(
        Problem(
          "\(path):1", found: "other columns", expected: Self.columns.joined(separator: ","),
          hint: "Delete the folder and run 'cleft prepare' again, or choose another one."))
    }
    self.rows = rows
    defects = (torn ?? 1) + replaced
  }

  /// Writes rows in the order of their records, so that equal pictures give an equal file.
  static func write(_ rows: some Sequence<PreparedRow>, to path: String) throws(FormatError) {
    let ordered = rows.sorted { ($0.record ?? .max, $0.key) < ($1.record ?? .max, $1.key) }
    try FileSystem.write(to: path) { handle in
      var text = AppendedTable.line(columns)
      for row in ordered {
        text += row.line
        if text.utf8.count > 1 << 20 {
          try handle.write(contentsOf: Data(text.utf8))
          text = ""
        }
      }
      try handle.write(contentsOf: Data(text.utf8))
    }
  }
}
