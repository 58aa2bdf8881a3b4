import CleftFormats
import Foundation

/// Turns rows of a manifest into samples.
struct ManifestRows {
  let table: CSVTable
  let columns: ManifestPlaces
  var captions: ManifestCaptions
  let request: DatasetRequest
  private(set) var faults: RowFaults
  /// Rows that are not samples although nothing is wrong with them, by reason.
  private(set) var leftOut: [String: Int] = [:]
  /// Where relative paths count from.
  private let imageFolder: String
  private var traits: TraitColumns

  init(
    table: CSVTable, columns: ManifestPlaces, captions: ManifestCaptions, request: DatasetRequest
  ) throws(DataError) {
    self.table = table
    self.columns = columns
    self.captions = captions
    self.request = request
    faults = try RowFaults(request, table)
    traits = try TraitColumns([table], request)
    let folder = request.manifest.imageFolder ?? (table.path as NSString).deletingLastPathComponent
    imageFolder = (folder as NSString).expandingTildeInPath
  }

  /// What a run says about test rows.
  var notes: [String] { traits.notes }

  /// The sample of a row; nil if it cannot be used or lacks what its split is for.
  mutating func sample(_ index: Int) throws(DataError) -> Sample? {
    let row = table.rows[index]
    let origin = "\(table.path):\(table.lines[index])"
    let written = row[columns.image]
    if TableCell.isMissing(written) {
      try faults.add(.empty(table.columns[columns.image]), origin: origin, imagePath: "")
      return nil
    }
    let imagePath = request.picturePath(location(written))
    var states: [FindingState] = []
    for column in columns.labels {
      guard let state = FindingState(cell: row[column]) else {
        try faults.add(.label(table.columns[column], row[column]), origin: origin, imagePath: imagePath)
        return nil
      }
      states.append(state)
    }
    let named = columns.className.flatMap { ManifestPlaces.className(row[$0]) }.flatMap {
      columns.classNumbers[$0]
    }
    let labels = named.map { [$0] } ?? states.indices.filter { states[$0] == .positive }
    let negatives = states.indices.filter { states[$0] == .negative }
    let caption = try captions.caption(row, positives: labels, negatives: negatives)
    guard let reason = missing(caption: caption, labels: labels) else {
      var sample = Sample(
        imagePath: imagePath, caption: caption, labels: labels, origin: origin,
        patient: columns.patient.flatMap { TableCell.identifier(row[$0]) })
      sample.uncertain =
        columns.className != nil && named == nil
        ? Array(columns.classNames.indices) : states.indices.filter { states[$0] == .uncertain }
      sample.traits = traits.traits([row], origin: origin)
      return sample
    }
    leftOut[reason, default: 0] += 1
    return nil
  }

  /// Why a row is no sample: one to train with needs a caption, one to score a class.
  private func missing(caption: String?, labels: [Int]) -> String? {
    if request.split != .test { return caption == nil && request.needsCaption ? "no caption" : nil }
    return labels.isEmpty && !columns.classNames.isEmpty && request.needsClass ? "no class to score" : nil
  }

  private func location(_ written: String) -> String {
    let path = written.hasPrefix("~") ? (written as NSString).expandingTildeInPath : written
    return path.hasPrefix("/") || imageFolder.isEmpty ? path : "\(imageFolder)/\(path)"
  }
}

/// Where the captions of a manifest come from: a column, or a template filled from labels and other columns.
struct ManifestCaptions {
  private let text: Int?
  private let templates: CaptionTemplates
  private let family: String
  private let classNames: [String]
  /// Columns that the template asks for, by name; a table's other columns are never looked at.
  private let values: [(name: String, column: Int)]
  /// Whether there is anything to make captions from.
  private let isPossible: Bool
  /// Whether a row without a class has no caption: the shipped texts would say nothing but their prefix.
  private let needsClass: Bool
  /// Captions by what they are made of: a table has few different ones.
  private var known: [Parts: String?] = [:]

  /// What the caption of a row is made of.
  private struct Parts: Hashable {
    var positives: [Int]
    var negatives: [Int]
    var cells: [String]
  }

  init(
    _ table: CSVTable, _ columns: ManifestPlaces, _ request: DatasetRequest, _ templates: CaptionTemplates
  ) throws(DataError) {
    text = columns.text
    needsClass = columns.className != nil && request.captionFile == nil
    self.templates = templates
    classNames = columns.classNames
    family =
      "labels" + (request.hasNegatives ? "_negative" : "") + (request.isPromptTuning ? "_prompt_ft" : "")
    // A file of the user's own may make captions of any columns; the shipped one needs classes.
    isPossible = columns.text != nil || !columns.classNames.isEmpty || request.captionFile != nil
    guard isPossible || request.split == .test || !request.needsCaption else {
      throw .badRequest(
        Problem(
          table.path, found: "nothing to make captions from",
          hint: "Pass --text_column, --label_columns or --class_column."))
    }
    guard columns.text == nil, isPossible else {
      values = []
      return
    }
    let own = ["POSITIVES", "NEGATIVES"]
    try templates.requireValues(among: own + table.columns, ofFamilies: [family])
    values = try templates.valueNames(ofFamily: family).subtracting(own).sorted().compactMap { name in
      table.columns.firstIndex(of: name).map { (name, $0) }
    }
  }

  /// The caption of a row; nil if it has none.
  mutating func caption(
    _ row: [String], positives: [Int], negatives: [Int]
  ) throws(DataError) -> String? {
    guard isPossible else { return nil }
    if let text { return TableCell.isMissing(row[text]) ? nil : templates.cleaned(row[text]) }
    if needsClass && positives.isEmpty { return nil }
    let parts = Parts(positives: positives, negatives: negatives, cells: values.map { row[$0.column] })
    if let caption = known[parts] { return caption }
    let caption = try caption(of: parts)
    known[parts] = .some(caption)
    return caption
  }

  private func caption(of parts: Parts) throws(DataError) -> String? {
    var filled: [String: String] = [:]
    for (name, classes) in [("POSITIVES", parts.positives), ("NEGATIVES", parts.negatives)]
    where !classes.isEmpty {
      filled[name] = templates.list(classes.map { classNames[$0] })
    }
    for (value, written) in zip(values, parts.cells) {
      let cell = TableCell.trimmed(written)
      if !TableCell.isMissing(cell) { filled[value.name] = templates.word(value.name, cell) ?? cell }
    }
    return try templates.caption(family, filled).flatMap(templates.cleaned)
  }
}
