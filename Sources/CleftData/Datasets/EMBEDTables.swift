import CleftFormats
import Foundation

/// A table of findings with its rows by accession number.
struct EMBEDFindings {
  let table: CSVTable
  /// Columns whose cells count as empty.
  let emptied: Set<Int>
  private let rows: [String: [Int32]]
  private let side: Int

  /// Reads a table and indexes it once: pictures ask for it a hundred thousand times.
  ///
  /// - Parameter emptiesIntegers: whether columns of whole numbers count as empty.
  init(_ path: String, emptiesIntegers: Bool = false) throws(FormatError) {
    table = try CSVTable(path)
    emptied = emptiesIntegers ? Self.integerColumns(table) : []
    side = try table.column("side")
    let accession = try table.column("acc_anon")
    var rows: [String: [Int32]] = [:]
    for (place, row) in table.rows.enumerated() where !TableCell.isMissing(row[accession]) {
      rows[EMBEDCell.code(row[accession]), default: []].append(Int32(place))
    }
    self.rows = rows
  }

  /// The row of a picture: the first of its examination about its side or, if none is, the first of the examination.
  ///
  /// - Parameters: cells of the picture's metadata.
  /// - Returns: the row, and the side if the row was chosen by it; nil without a row.
  func row(accession: String, laterality: String) -> (place: Int, side: String?)? {
    if let side = EMBEDCell.text(laterality), let place = first(accession: accession, side: side) {
      return (place, side)
    }
    return first(accession: accession, side: nil).map { ($0, nil) }
  }

  /// The first row of an examination, or the first about this side; nil if there is none.
  func first(accession: String, side wanted: String?) -> Int? {
    let candidates = EMBEDCell.text(accession).flatMap { rows[EMBEDCell.code($0)] } ?? []
    guard let wanted else { return candidates.first.map(Int.init) }
    return candidates.first { table.rows[Int($0)][side] == wanted }.map(Int.init)
  }

  /// A row's cells, those of emptied columns empty.
  func cells(_ place: Int) -> [String] {
    var cells = table.rows[place]
    for column in emptied { cells[column] = "" }
    return cells
  }

  /// Columns that pandas reads as integers: every cell is a whole number without a point, and none is missing.
  private static func integerColumns(_ table: CSVTable) -> Set<Int> {
    guard !table.rows.isEmpty else { return [] }
    return Set(
      table.columns.indices.filter { column in table.rows.allSatisfy { Int($0[column]) != nil } })
  }

  /// File and line of a row, for messages.
  func origin(_ row: Int) -> String { "\(table.path):\(table.lines[row])" }
}

/// The two tables of findings, and which of their rows stands for a picture.
struct EMBEDAnnotations {
  /// Why a picture has no annotation.
  enum Gap: String {
    case reduced = "no annotation", full = "no annotation in the full clinical table"
  }

  let reduced: EMBEDFindings
  /// The table with mass and calcification codes; nil where captions do not speak of them.
  let full: EMBEDFindings?

  init(_ request: DatasetRequest) throws(FormatError) {
    let empties = request.quirks.has(.integerColumns)
    reduced = try EMBEDFindings(EMBED.findingsPath(request), emptiesIntegers: empties)
    full =
      EMBED.needsFullTable(request)
      ? try EMBEDFindings(EMBED.clinicalPath(request), emptiesIntegers: empties) : nil
  }

  /// The rows of a picture: the full table's is the first about the side by which the reduced table's was chosen, or the
  /// first of the examination if it was chosen by none.
  func rows(accession: String, laterality: String) -> Result<(reduced: Int, full: Int?), Gap.Failure> {
    guard let row = reduced.row(accession: accession, laterality: laterality) else {
      return .failure(.init(gap: .reduced))
    }
    guard let full else { return .success((row.place, nil)) }
    guard let other = full.first(accession: accession, side: row.side) else {
      return .failure(.init(gap: .full))
    }
    return .success((row.place, other))
  }
}

extension EMBEDAnnotations.Gap {
  /// A gap as the failure of a result.
  struct Failure: Error {
    let gap: EMBEDAnnotations.Gap
  }
}

/// What the codes of the full clinical table mean, by column.
struct EMBEDLegend {
  private var meanings: [String: [String: String]] = [:]

  init(_ path: String) throws(FormatError) {
    let table = try CSVTable(path)
    let header = try table.column("Header in export")
    let code = try table.column("Code")
    let meaning = try table.column("Meaning")
    for row in table.rows where !TableCell.isMissing(row[code]) {
      meanings[row[header], default: [:]][EMBEDCell.code(row[code])] = row[meaning]
    }
  }

  /// The words of a cell; nil if it is empty or its code is not in the legend.
  func meaning(_ column: String, _ cell: String) -> String? {
    TableCell.isMissing(cell) ? nil : meanings[column]?[EMBEDCell.code(cell)]
  }
}

/// Where a table of metadata says which picture a row is about.
struct EMBEDPictureColumns {
  /// The column with the patient.
  static let patient = "empi_anon"

  let path, kind, accession, laterality: Int

  init(_ table: CSVTable) throws(FormatError) {
    path = try table.column("anon_dicom_path")
    kind = try table.column("FinalImageType")
    accession = try table.column("acc_anon")
    laterality = try table.column("ImageLateralityFinal")
  }

  /// Whether a row's picture is an ordinary mammogram, the only kind in use.
  func isFlat(_ row: [String]) -> Bool { row[kind] == "2D" }
}

/// Where a table of findings holds density and BI-RADS, and how they are read.
struct EMBEDScoreColumns {
  let density, assessment: Int

  init(_ table: CSVTable) throws(FormatError) {
    density = try table.column("tissueden")
    assessment = try table.column("asses")
  }

  /// The density, 1 to 5; nil if the row does not say.
  func density(_ row: [String]) throws(RowFaults.Fault) -> Int? {
    guard let cell = EMBEDCell.text(row[density]) else { return nil }
    guard let number = Double(cell).flatMap(Int.init(exactly:)), (1...5).contains(number) else {
      throw .label("tissueden", cell, expected: "1 to 5, or empty")
    }
    return number
  }

  /// The BI-RADS number; nil if the row does not say.
  ///
  /// As published, a letter outside the scale is no assessment.
  func birads(_ row: [String]) -> Int? {
    EMBEDTexts.letters.firstIndex(of: TableCell.trimmed(row[assessment]))
  }
}

/// Cells of EMBED's tables.
enum EMBEDCell {
  /// A code or identifier in one spelling: pandas writes the same number as `7` or `7.0`.
  static func code(_ cell: String) -> String {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    if cell.utf8.allSatisfy(digits.contains) { return cell }
    let trimmed = TableCell.trimmed(cell)
    guard let number = Double(trimmed), let whole = Int(exactly: number) else { return trimmed }
    return String(whole)
  }

  /// The text of a cell; nil if it says nothing.
  static func text(_ cell: String) -> String? { TableCell.isMissing(cell) ? nil : cell }
}
