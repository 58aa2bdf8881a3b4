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
  static func trimmed(_ cell: String) -> String { cell.trimmingCharacters(in: .whitespaces) }
}

/// Rows of a table that cannot be used: the first one is thrown, or all are collected, as the request says.
struct RowFaults {
  /// What a row has instead of what it should.
  struct Fault {
    var found: String
    var expected: String

    /// A finding's column with something other than a label.
    static func label(_ column: String, _ cell: String) -> Fault {
      Fault(found: "column '\(oneLine(column))' is '\(oneLine(cell))'", expected: "1, 0, -1 or empty")
    }

    /// A column that must not be empty.
    static func empty(_ column: String) -> Fault {
      Fault(found: "column '\(column)' is empty", expected: "a value")
    }
  }

  let policy: BadRowPolicy
  private(set) var rows: [BadRow] = []

  init(_ request: DatasetRequest) { policy = request.badRows }

  /// Notes a row that cannot be used.
  ///
  /// - Throws: `DataError.badData` if such rows end the run.
  mutating func add(_ fault: Fault, origin: String, imagePath: String) throws(DataError) {
    guard policy == .skip else {
      throw .badData(
        Problem(
          origin, found: fault.found, expected: fault.expected,
          hint: "Fix the row, or pass --on_bad_row skip (skipped rows are counted and listed)."))
    }
    rows.append(
      BadRow(
        origin: origin, imagePath: imagePath, reason: "\(fault.found); expected \(fault.expected)"))
  }
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

  /// Whether the share of rows is taken of this split.
  var takesShare: Bool { fraction < 1 && (split == .train || subsamplesAllSplits) }
}

extension CaptionTemplates {
  /// The prompt sets for classes: the one meant first, then the others of the file for comparison.
  ///
  /// Prompts of prompt tuning stand behind trained vectors, and the others do not: they are never mixed.
  func promptSets(first: String, isPromptTuning: Bool, classNames: [String]) throws(DataError) -> [PromptSet]
  {
    let tuning = "prompt_ft"
    let others = isPromptTuning ? [] : promptNames.filter { $0 != first && $0 != tuning }
    var sets: [PromptSet] = []
    for name in [first] + others {
      var prompts: [String] = []
      for className in classNames {
        prompts.append(
          try prompt(name == first && isPromptTuning ? tuning : name, ["CLASS": words(of: className)]))
      }
      sets.append(PromptSet(name: name, prompts: prompts))
    }
    return sets
  }

  /// How a class is called in texts: by the table `classes`, or by its own name.
  func words(of className: String) -> String { word("classes", className) ?? className }

  /// The words of classes, each followed by a space, as `{POSITIVES}` and `{NEGATIVES}` want them.
  func list(_ classNames: some Sequence<String>) -> String {
    classNames.map { words(of: $0) + " " }.joined()
  }
}
