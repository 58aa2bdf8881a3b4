import CleftFormats
import Foundation

/// A table of findings with its rows by accession number.
struct EMBEDFindings {
  let table: CSVTable
  private let rows: [String: [Int32]]
  private let side: Int

  /// Reads a table and indexes it once: pictures ask for it a hundred thousand times.
  init(_ path: String) throws(FormatError) {
    table = try CSVTable(path)
    side = try table.column("side")
    let accession = try table.column("acc_anon")
    var rows: [String: [Int32]] = [:]
    for (place, row) in table.rows.enumerated() where !TableCell.isMissing(row[accession]) {
      rows[EMBEDCell.code(row[accession]), default: []].append(Int32(place))
    }
    self.rows = rows
  }

  /// Rows of an examination, in table order.
  func rows(accession: String) -> [Int32] { rows[accession] ?? [] }

  /// The first of some rows, or the first about this side; nil if there is none.
  func first(of candidates: [Int32], side wanted: String? = nil) -> Int? {
    guard let wanted else { return candidates.first.map(Int.init) }
    return candidates.first { table.rows[Int($0)][side] == wanted }.map(Int.init)
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
    reduced = try EMBEDFindings(EMBED.table("clinical_reduced", request))
    full = EMBED.needsFullTable(request) ? try EMBEDFindings(EMBED.table("clinical", request)) : nil
  }

  /// The rows of a picture: if any of the examination is about the picture's side, the first of those in each table, and
  /// otherwise the first of the examination.
  func rows(accession: String, laterality: String?) -> Result<(reduced: Int, full: Int?), Gap.Failure> {
    let candidates = reduced.rows(accession: accession)
    let matching = laterality.flatMap { reduced.first(of: candidates, side: $0) }
    guard let row = matching ?? reduced.first(of: candidates) else { return .failure(.init(gap: .reduced)) }
    guard let full else { return .success((row, nil)) }
    let side = matching == nil ? nil : laterality
    guard let other = full.first(of: full.rows(accession: accession), side: side) else {
      return .failure(.init(gap: .full))
    }
    return .success((row, other))
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
