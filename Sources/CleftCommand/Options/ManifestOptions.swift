import ArgumentParser
import CleftData
import Foundation

/// Which columns of a table of one's own hold what, for `--dataset manifest`.
struct ManifestOptions: ParsableArguments {
  @Option(help: .value("column", "Column with the picture's path."))
  var image_column = "image"

  @Option(
    help: .value("column", "Column with the caption. Default: none, captions are made from --label_columns."))
  var text_column: String?

  @Option(
    help: .value(
      "columns", "Columns with 1, 0, -1 or nothing for one class each, separated by commas. Default: none."))
  var label_columns: String?

  @Option(
    help: .value(
      "column",
      "Column with the name of the picture's class; classes are those of all tables that are named. Default: none."
    ))
  var class_column: String?

  @Option(
    help: .value(
      "column", "Column that says who is on the picture; nobody may be in two splits. Default: none."))
  var patient_column: String?

  @Option(
    help: .value(
      "column", "Column that says train, valid or test, where one table holds all of them. Default: none."))
  var split_column: String?

  @Option(
    help: .value(
      "character", "Character between fields, or tab. Default: a tab in .tsv files, otherwise a comma."))
  var separator: String?

  @Option(help: .value("folder", "Where relative picture paths count from. Default: the table's folder."))
  var image_dir: String?

  /// Puts these options into a request.
  func fill(_ request: inout DatasetRequest) {
    request.manifest.image = image_column
    request.manifest.text = text_column
    request.manifest.labels = label_columns.map(Self.names) ?? []
    request.manifest.className = class_column
    request.manifest.patient = patient_column
    request.manifest.split = split_column
    request.manifest.separator = separator.flatMap { ["tab", "\\t"].contains($0) ? "\t" : $0.first }
    request.manifest.imageFolder = image_dir.map { ($0 as NSString).expandingTildeInPath }
  }

  /// Options that only some datasets heed.
  var particular: [(name: String, isGiven: Bool)] {
    [
      ("image_column", image_column != "image"), ("text_column", text_column != nil),
      ("label_columns", label_columns != nil), ("class_column", class_column != nil),
      ("patient_column", patient_column != nil), ("split_column", split_column != nil),
      ("separator", separator != nil), ("image_dir", image_dir != nil),
    ]
  }

  private static func names(_ list: String) -> [String] {
    list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  mutating func validate() throws {
    if let label_columns, Self.names(label_columns).isEmpty {
      throw ValidationError(
        "--label_columns is '\(label_columns)'; expected names of columns, separated by commas.")
    }
    if let separator, separator.utf8.count != 1, !["tab", "\\t"].contains(separator) {
      throw ValidationError("--separator is '\(separator)'; expected one character, or tab.")
    }
  }
}
