import CleftFormats
import Foundation

/// A table of a user's own: a picture a row, with a caption, labels or both.
///
/// `ManifestColumns` says which column holds what. With label columns a class is a column; with a class column it is a
/// name that occurs in the tables of any split, sorted by name. Without either there are only picture–caption pairs,
/// and nothing to score.
public enum Manifest {
  /// Its line in the catalogue.
  static let entry = DatasetCatalog.Entry(
    name: "manifest", summary: "a table of your own",
    heeds: [
      "negative_prompt", "image_column", "text_column", "label_columns", "class_column", "patient_column",
      "split_column", "separator", "image_dir",
    ],
    hasLayout: false, quirks: { _ in [.dicomMaximum] }, captions: PackageResources.manifest_yaml,
    tables: { $0.table.map { [$0] } ?? [] }, captionLength: captionLength, open: open)

  /// Columns of a tokenized caption: those of CheXpert, which captions from labels are modeled on.
  public static func captionLength(_ request: DatasetRequest) -> Int { CheXpert.captionLength(request) }

  /// Reads a split.
  ///
  /// - Throws: `DataError` and `FormatError` with file, line and column.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    guard let given = request.table else {
      throw DataError.badRequest(
        Problem(
          "--dataset manifest", found: "no table for the \(request.split.rawValue) split",
          hint: "Pass --\(request.split.rawValue)_csv (tables are --train_csv, --valid_csv and --test_csv)."))
    }
    try requireUseOfNegatives(request)
    let table = try Self.table((given as NSString).expandingTildeInPath, request.manifest)
    let templates = try CaptionTemplates.forRequest(request, dataset: entry.name)
    let prompts = try PromptTexts(request, templates)
    let columns = try ManifestPlaces(
      table, request.manifest, otherClasses: otherClasses(request.manifest, besides: table.path))
    let captions = try ManifestCaptions(table, columns, request, templates)
    let split = ManifestSplit(table, columns.split, request)
    var reader = try ManifestRows(table: table, columns: columns, captions: captions, request: request)
    let rows = request.takesShare ? try request.share(of: split.rows) : split.rows
    var samples: [Sample] = []
    samples.reserveCapacity(rows.count)
    for row in rows { if let sample = try reader.sample(row) { samples.append(sample) } }
    let leftOut = reader.leftOut.merging(["no known split": split.strangeCount]) { $0 + $1 }
    let names = columns.classNames
    var dataset = ImageTextDataset(
      name: "manifest \(request.split.rawValue)", table: table.path, samples: samples, classNames: names,
      promptSets: names.isEmpty
        ? []
        : try prompts.sets(first: "default", classes: names.map(prompts.named), known: names))
    dataset.leftOut = leftOut.filter { $0.value > 0 }
    // Nobody can tell the split of rows set aside; they count for those that the table has rows of.
    dataset.badRows = split.isElsewhere ? [] : reader.faults.rows
    let notes = request.scoresOneClass ? notesOnSeveralClasses : notesOnUncertainLabels
    dataset.notes = split.notes + notes(samples, request.split) + reader.notes + prompts.notes
    dataset.captionLength = captionLength(request)
    return dataset
  }

  /// Fails if captions are to say what is not there and are not made here.
  private static func requireUseOfNegatives(_ request: DatasetRequest) throws(DataError) {
    guard request.hasNegatives, let text = request.manifest.text else { return }
    throw .badRequest(
      Problem(
        "--negative_prompt", found: "--text_column '\(oneLine(text))', whose texts it does not change",
        expected: "captions made from labels", hint: "Leave out one of the two."))
  }

  /// Reads a table, with rows of a wrong length set aside.
  private static func table(_ path: String, _ columns: ManifestColumns) throws(FormatError) -> CSVTable {
    let separator: Character = (path as NSString).pathExtension.lowercased() == "tsv" ? "\t" : ","
    return try CSVTable(path, separator: columns.separator ?? separator, setsRaggedAside: true)
  }

  /// Names of the classes in the tables of the other splits.
  private static func otherClasses(
    _ columns: ManifestColumns, besides path: String
  ) throws(FormatError) -> Set<String> {
    guard let name = columns.className else { return [] }
    var classes: Set<String> = []
    for other in Set(columns.classTables) where other != path {
      let table = try table(other, columns)
      // A table of another kind has no say; whether its own split can do without the column is seen there.
      guard let column = table.columns.firstIndex(of: name) else { continue }
      classes.formUnion(table.rows.compactMap { ManifestPlaces.className($0[column]) })
    }
    return classes
  }
}

/// Where in a table the columns of a manifest are.
struct ManifestPlaces {
  let image: Int
  let text: Int?
  let patient: Int?
  let split: Int?
  /// Columns with one label each; empty for none.
  let labels: [Int]
  /// The column with the class's name.
  let className: Int?
  /// Class names, in class order.
  let classNames: [String]
  /// Class numbers by name, for a class column.
  let classNumbers: [String: Int]

  /// Looks the columns up.
  ///
  /// - Parameter otherClasses: classes of a class column that count besides those of the table.
  init(_ table: CSVTable, _ names: ManifestColumns, otherClasses: Set<String>) throws(DataError) {
    func place(_ name: String, _ option: String) throws(DataError) -> Int {
      if let index = table.columns.firstIndex(of: name) { return index }
      let near = nearestNames(to: name, among: table.columns).joined(separator: ", ")
      throw .badData(
        Problem(
          "\(table.path):1", found: "no column '\(name)' (\(option))",
          hint: table.columns.count == 1
            ? "There is only one column, '\(oneLine(near))': pass --separator."
            : "Nearest: \(oneLine(near)). Pass the name with \(option)."))
    }
    func place(_ name: String?, _ option: String) throws(DataError) -> Int? {
      guard let name else { return nil }
      return try place(name, option) as Int
    }
    image = try place(names.image, "--image_column")
    text = try place(names.text, "--text_column")
    patient = try place(names.patient, "--patient_column")
    split = try place(names.split, "--split_column")
    className = try place(names.className, "--class_column")
    var labels: [Int] = []
    for name in names.labels { labels.append(try place(name, "--label_columns")) }
    self.labels = labels
    guard className == nil || labels.isEmpty else {
      throw .badRequest(
        Problem(
          "--class_column, --label_columns", found: "both", expected: "one of them",
          hint: "A picture has either one class by name or a label for each class."))
    }
    guard Set(labels).count == labels.count else {
      throw .badRequest(Problem("--label_columns", found: "a column twice", expected: "each once"))
    }
    if let className {
      classNames = otherClasses.union(table.rows.compactMap { Self.className($0[className]) }).sorted()
    } else {
      classNames = names.labels
    }
    classNumbers = Dictionary(classNames.enumerated().map { ($1, $0) }) { first, _ in first }
  }

  /// The class a cell names; nil for none.
  ///
  /// `None` is a name: it often means a healthy picture.
  static func className(_ cell: String) -> String? {
    let name = TableCell.trimmed(cell)
    return TableCell.isMissing(name) && name != "None" ? nil : name
  }
}

/// The rows of the split that is asked for.
private struct ManifestSplit {
  let rows: [Int]
  /// Rows whose cell names no split.
  let strangeCount: Int
  /// Whether the table has rows, but none of this split.
  let isElsewhere: Bool
  let notes: [String]

  init(_ table: CSVTable, _ column: Int?, _ request: DatasetRequest) {
    guard let column else {
      (rows, strangeCount, isElsewhere, notes) = (Array(table.rows.indices), 0, false, [])
      return
    }
    var rows: [Int] = []
    var strange: [String: Int] = [:]
    for (index, row) in table.rows.enumerated() {
      switch Self.split(row[column]) {
      case request.split: rows.append(index)
      case nil: strange[row[column], default: 0] += 1
      default: break
      }
    }
    self.rows = rows
    strangeCount = strange.values.reduce(0, +)
    isElsewhere = rows.isEmpty && !table.rows.isEmpty
    let cells = strange.keys.sorted().prefix(3).map { "'\(oneLine($0))'" }.joined(separator: ", ")
    notes =
      strange.isEmpty
      ? []
      : [
        "\(strangeCount) rows belong to no split: column '\(table.columns[column])' is \(cells); expected train, "
          + "valid or test"
      ]
  }

  private static func split(_ cell: String) -> Split? {
    switch TableCell.trimmed(cell).lowercased() {
    case "train": .train
    case "valid", "val", "validation": .valid
    case "test": .test
    default: nil
    }
  }
}
