import CleftFormats
import Foundation

/// CheXpert as the published program reads it: frontal views, captions from positive findings.
///
/// - Source: Irvin et al. 2019, arXiv 1901.07031; CheXbert labels, Smit et al. 2020; `cleft.md` §2.2.
public enum CheXpert {
  /// Folder of the layout below the data folder.
  public static let folder = "CheXpert"
  /// Folder of the images below that.
  public static let imageFolder = "CheXpert-v1.0"

  /// Its line in the catalogue.
  static let entry = DatasetCatalog.Entry(
    name: "chexpert", summary: "CheXpert with CheXbert labels; test is CheXpert-5x200",
    heeds: ["five_cls", "negative_prompt"], quirks: quirks, captions: PackageResources.chexpert_yaml,
    tables: { [$0.table ?? tablePath($0)] }, captionLength: captionLength, open: open)

  /// Name of the table of a split.
  public static func table(_ split: Split, usesFiveClasses: Bool) -> String {
    switch split {
    case .train: usesFiveClasses ? "train_cheXbert_95_five_classes.csv" : "train_cheXbert_clean_95.csv"
    case .valid: usesFiveClasses ? "train_cheXbert_5_five_classes.csv" : "train_cheXbert_clean_5.csv"
    case .test: "chexpert_5x200.csv"
    }
  }

  /// The published table of a request.
  public static func tablePath(_ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/\(table(request.split, usesFiveClasses: request.usesFiveClasses))"
  }

  /// Columns of a tokenized caption, as published.
  public static func captionLength(_ request: DatasetRequest) -> Int { request.hasNegatives ? 96 : 64 }

  private static func quirks(_ request: DatasetRequest) -> [Quirk] {
    let sharesAll = request.isPromptTuning && request.fraction < 1 && !request.subsamplesAllSplits
    return sharesAll ? [.promptTuningShare] : []
  }

  /// Reads a split.
  ///
  /// - Throws: `DataError` and `FormatError` with file, line and column.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    let images = "\(request.dataFolder)/\(folder)/\(imageFolder)"
    if request.table == nil {
      try requireFolder(images, hint: "Pass --data_dir, or make a synthetic set with 'cleft synth'.")
    }
    let templates = try CaptionTemplates.forRequest(request, dataset: entry.name)
    let table = try CSVTable(request.table ?? tablePath(request), setsRaggedAside: true)
    var reader = try CheXpertRows(table: table, images: images, request: request, templates: templates)
    let view = try table.column("AP/PA")
    let frontal = table.rows.indices.filter { table.rows[$0][view] == "PA" || table.rows[$0][view] == "AP" }
    // As published, prompt tuning takes its share of every split.
    let takesShare =
      request.takesShare
      || (request.fraction < 1 && request.isPromptTuning && request.quirks.has(.promptTuningShare))
    let rows = takesShare ? try request.share(of: frontal) : frontal
    var samples: [Sample] = []
    samples.reserveCapacity(rows.count)
    for row in rows {
      if let sample = try reader.sample(table.rows[row], line: table.lines[row]) { samples.append(sample) }
    }
    var shifted = 0
    if request.quirks.has(.labelShift) { shifted = try reader.shiftLabels(of: &samples, rows, table) }
    let leftOut = ["not frontal": table.rows.count - frontal.count, "no caption": reader.withoutCaption]
    let names = reader.classes.map(\.rawValue)
    var dataset = ImageTextDataset(
      name: request.split == .test && request.table == nil
        ? "CheXpert-5x200" : "CheXpert \(request.split.rawValue)",
      table: table.path, samples: samples, classNames: names,
      promptSets: try templates.promptSets(
        first: "published", isPromptTuning: request.isPromptTuning, classNames: names))
    dataset.leftOut = leftOut.filter { $0.value > 0 }
    dataset.badRows = reader.faults.rows
    dataset.notes = notes(samples, split: request.split)
    if shifted > 0 {
      dataset.notes.append(
        "\(shifted) pictures have the labels of an earlier row, as published (label_shift)")
    }
    dataset.captionLength = captionLength(request)
    return dataset
  }

  /// Test pictures without any of the classes count as the first class, as published, and those with several as the
  /// first they have: a run says how many.
  private static func notes(_ samples: [Sample], split: Split) -> [String] {
    let count = split == .test ? samples.count { $0.labels.isEmpty } : 0
    let none =
      count == 0 ? [] : ["\(count) test pictures have none of the classes and count as the first class"]
    return none + notesOnSeveralClasses(samples, split: split)
  }
}

/// Turns rows of one CheXpert table into samples.
private struct CheXpertRows {
  /// What rows with the same findings share.
  private struct Texts {
    var caption: String?
    var labels: [Int]
  }

  let classes: [Finding]
  var faults: RowFaults
  /// Rows left out because nothing in them makes a caption.
  private(set) var withoutCaption = 0
  private let tablePath: String
  private let images: String
  private let request: DatasetRequest
  private let templates: CaptionTemplates
  private let family: String
  private let path: Int
  /// Column of each finding, in the order of the 14; nil where the table has none and needs none.
  private let columns: [Int?]
  /// Texts by the bits of positive and, above them, negative findings: a table has few different ones.
  private var known: [UInt32: Texts] = [:]

  init(table: CSVTable, images: String, request: DatasetRequest, templates: CaptionTemplates) throws {
    tablePath = table.path
    self.images = images
    self.request = request
    self.templates = templates
    classes = request.usesFiveClasses ? Finding.five : Finding.allCases
    let base = request.isPromptTuning ? "prompt_ft" : "published"
    family = !request.hasNegatives ? base : request.isPromptTuning ? "negative_prompt_ft" : "negative"
    try templates.requireValues(among: ["POSITIVES", "NEGATIVES"], ofFamilies: [family])
    path = try table.column("Path")
    var columns: [Int?] = []
    for finding in Finding.allCases {
      // A five-class training table may carry all fourteen columns; captions then name them all.
      let isOptional = request.usesFiveClasses && request.split != .test && !classes.contains(finding)
      columns.append(
        isOptional ? table.columns.firstIndex(of: finding.rawValue) : try table.column(finding.rawValue))
    }
    self.columns = columns
    faults = try RowFaults(request, table)
  }

  /// The sample of a row; nil if it cannot be used or has no caption to train with.
  mutating func sample(_ row: [String], line: Int) throws(DataError) -> Sample? {
    let origin = "\(tablePath):\(line)"
    let written = row[path]
    if TableCell.isMissing(written) {
      try faults.add(.empty("Path"), origin: origin, imagePath: "")
      return nil
    }
    let imagePath = request.picturePath(location(written))
    let states: UInt32
    switch self.states(row) {
    case .success(let found): states = found
    case .failure(let fault):
      try faults.add(fault, origin: origin, imagePath: imagePath)
      return nil
    }
    let texts = try texts(of: states)
    if texts.caption == nil && request.split != .test && request.needsCaption {
      withoutCaption += 1
      return nil
    }
    return Sample(
      imagePath: imagePath, caption: texts.caption, labels: texts.labels, origin: origin,
      patient: Self.patient(written))
  }

  /// The bits of positive and, above them, negative findings of a row.
  private func states(_ row: [String]) -> Result<UInt32, RowFaults.Fault> {
    var states: UInt32 = 0
    for (bit, column) in columns.enumerated() {
      guard let column else { continue }
      switch FindingState(cell: row[column]) {
      case .positive: states |= 1 << bit
      case .negative: states |= 1 << (bit + 16)
      case .uncertain, .notMentioned: break
      case nil: return .failure(.label(Finding.allCases[bit].rawValue, row[column]))
      }
    }
    return .success(states)
  }

  /// Gives the n-th sample the labels of the n-th row, whether or not that row has become a sample, as published.
  ///
  /// - Returns: how many samples have labels of a row that is not theirs.
  mutating func shiftLabels(
    of samples: inout [Sample], _ rows: [Int], _ table: CSVTable
  ) throws(DataError) -> Int {
    var shifted = 0
    for index in samples.indices {
      let row = rows[index]
      if samples[index].origin != "\(tablePath):\(table.lines[row])" { shifted += 1 }
      guard case .success(let states) = states(table.rows[row]) else {
        samples[index].labels = []
        continue
      }
      samples[index].labels = try texts(of: states).labels
    }
    return shifted
  }

  private mutating func texts(of states: UInt32) throws(DataError) -> Texts {
    if let texts = known[states] { return texts }
    func findings(shift: Int) -> [Finding] {
      Finding.allCases.enumerated().filter { states >> ($0.offset + shift) & 1 == 1 }.map(\.element)
    }
    let positives = findings(shift: 0)
    let negatives = findings(shift: 16).filter { $0 != .noFinding }
    let raw = try templates.caption(
      family,
      [
        "POSITIVES": templates.list(positives.map(\.rawValue)),
        "NEGATIVES": templates.list(negatives.map(\.rawValue)),
      ])
    let texts = Texts(
      caption: raw.flatMap(templates.cleaned), labels: positives.compactMap(classes.firstIndex).sorted())
    known[states] = texts
    return texts
  }

  /// The picture of a path in the table, whose first folder stands for the image folder; absolute ones stay.
  private func location(_ written: String) -> String {
    if written.hasPrefix("/") { return written }
    guard let slash = written.utf8.firstIndex(of: UInt8(ascii: "/")) else { return images + "/" + written }
    return images + written[slash...]
  }

  /// The folder `patientNNNNN` of a path.
  private static func patient(_ written: String) -> String? {
    let name = "patient".utf8
    for folder in written.utf8.split(separator: UInt8(ascii: "/")) where folder.starts(with: name) {
      return String(folder)
    }
    return nil
  }
}
