import CleftFormats
import Foundation

/// Cells of a table, as pandas reads them.
enum TableCell {
  /// What pandas 2 takes for an empty cell unless told otherwise.
  private static let missingWords: Set<String> = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
  ]

  /// Whether a cell says nothing.
  static func isMissing(_ cell: String) -> Bool { missingWords.contains(cell) }

  /// A cell without white space at its ends.
  static func trimmed(_ cell: String) -> String {
    // Nearly every cell begins and ends with an ASCII sign.
    let signs = UInt8(ascii: "!")...UInt8(ascii: "~")
    if let first = cell.utf8.first, let last = cell.utf8.last, signs.contains(first), signs.contains(last) {
      return cell
    }
    return cell.trimmingCharacters(in: .whitespaces)
  }

  /// Who or what a cell names, in one spelling: pandas writes the same number as `7` or `7.0`; nil if it says nothing.
  ///
  /// Only digits with zeros behind a point are such a number: `12e5` may well be a name.
  static func identifier(_ cell: String) -> String? {
    let name = trimmed(cell)
    if isMissing(name) { return nil }
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard parts.count == 2, !parts[0].isEmpty, parts[0].allSatisfy(digits.contains), !parts[1].isEmpty,
      parts[1].allSatisfy({ $0 == UInt8(ascii: "0") })
    else { return name }
    return String(parts[0])
  }
}

/// Rows of a table that cannot be used: the first one is thrown, or all are collected, as the request says.
struct RowFaults {
  /// What a row has instead of what it should.
  struct Fault: Error {
    var found: String
    var expected: String
    /// What to do about it, as a sentence without its full stop.
    var remedy = "Fix the row"

    /// A column with something other than what it is for, usually a finding's with something other than a label.
    static func label(_ column: String, _ cell: String, expected: String = "1, 0, -1 or empty") -> Fault {
      Fault(found: "column '\(oneLine(column))' is '\(oneLine(cell))'", expected: expected)
    }

    /// A column that must not be empty.
    static func empty(_ column: String) -> Fault {
      Fault(found: "column '\(column)' is empty", expected: "a value")
    }

    /// More or fewer fields than the line of column names has.
    static func ragged(_ fieldCount: Int, expected: Int) -> Fault {
      Fault(
        found: "\(fieldCount) field\(fieldCount == 1 ? "" : "s")", expected: "\(expected) as in line 1",
        remedy: "Quote fields that contain the separator")
    }

    /// The fault as an error where bad rows cannot be skipped.
    func error(_ origin: String) -> DataError {
      .badData(Problem(origin, found: found, expected: expected, hint: remedy + "."))
    }
  }

  let policy: BadRowPolicy
  private(set) var rows: [BadRow] = []

  /// Starts with the rows that the table sets aside because they have too many or too few fields.
  ///
  /// - Throws: `DataError.badData` for the first of them if such rows end the run.
  init(_ request: DatasetRequest, _ table: CSVTable) throws(DataError) {
    policy = request.badRows
    for row in table.raggedRows {
      try add(
        .ragged(row.fieldCount, expected: table.columns.count), origin: "\(table.path):\(row.line)",
        imagePath: "")
    }
  }

  /// Notes a row that cannot be used.
  ///
  /// - Throws: `DataError.badData` if such rows end the run.
  mutating func add(_ fault: Fault, origin: String, imagePath: String) throws(DataError) {
    guard policy == .skip else {
      throw .badData(
        Problem(
          origin, found: fault.found, expected: fault.expected,
          hint: "\(fault.remedy), or pass --on_bad_row skip (skipped rows are counted and listed)."))
    }
    rows.append(
      BadRow(
        origin: origin, imagePath: imagePath, reason: "\(fault.found); expected \(fault.expected)"))
  }
}

/// What a run says about test pictures with more than one class: scores go by one of them.
func notesOnSeveralClasses(_ samples: [Sample], split: Split) -> [String] {
  let count = split == .test ? samples.count { $0.labels.count > 1 } : 0
  return count == 0
    ? [] : ["\(count) test pictures have several of the classes and are scored on the first in class order"]
}

/// What a run says about test pictures of which nobody knows whether they have a class, where each class is asked.
func notesOnUncertainLabels(_ samples: [Sample], split: Split) -> [String] {
  let count = split == .test ? samples.reduce(0) { $0 + $1.uncertain.count } : 0
  return count == 0
    ? []
    : [
      "\(count) labels of test pictures are uncertain (-1, or an empty class) and count neither for nor against their "
        + "class"
    ]
}

/// Fails if each class is to be a question of its own where the classes exclude each other.
func requireOneQuestion(_ request: DatasetRequest, of dataset: String, reason: String) throws(DataError) {
  guard request.asksEachClass else { return }
  throw .badRequest(
    Problem(
      "--multi_label", found: "with --dataset \(dataset)",
      expected: "classes that a picture may have several of",
      hint: reason))
}

extension DatasetRequest {
  /// Where a picture lies: as the table says or, where it is not there, with `imageSuffix` before its extension.
  ///
  /// Without a suffix the disk is not asked.
  func picturePath(_ path: String) -> String {
    guard let imageSuffix, access(path, F_OK) != 0 else { return path }
    let (dot, slash) = (
      path.utf8.lastIndex(of: UInt8(ascii: ".")), path.utf8.lastIndex(of: UInt8(ascii: "/"))
    )
    let name = slash.map { path.utf8.index(after: $0) } ?? path.startIndex
    // A leading dot hides a file, it does not start an extension.
    guard let dot, dot > name else { return path + imageSuffix }
    return path[..<dot] + imageSuffix + path[dot...]
  }

  /// Whether a picture is scored on one class, and not on each by itself.
  var scoresOneClass: Bool { needsClass && !asksEachClass }

  /// Whether the share of rows is taken of this split.
  var takesShare: Bool { fraction < 1 && (split == .train || subsamplesAllSplits) }

  /// The share of some rows that is asked for.
  ///
  /// - Parameter draw: takes a share of the rows; pandas' `sample` unless said otherwise.
  /// - Throws: `DataError.badRequest` if none of the rows is left.
  func share<Element>(
    of rows: [Element],
    by draw: ([Element], Double) -> [Element] = { Subsampling.pandas($0, fraction: $1) }
  ) throws(DataError) -> [Element] {
    let drawn = fraction > 0 ? draw(rows, fraction) : []
    guard !drawn.isEmpty || rows.isEmpty else {
      throw .badRequest(
        Problem(
          "--data_pct \(fraction)", found: "no row left of \(rows.count)",
          expected: "a share of at least one row",
          hint: "One row is a share of \(1 / Double(rows.count))."))
    }
    return drawn
  }
}

extension CaptionTemplates {
  /// How a class is called in texts: by the table `classes`, or by its own name.
  func words(of className: String) -> String { word("classes", className) ?? className }

  /// The words of classes, each followed by a space, as `{POSITIVES}` and `{NEGATIVES}` want them.
  func list(_ classNames: some Sequence<String>) -> String {
    classNames.map { words(of: $0) + " " }.joined()
  }
}
