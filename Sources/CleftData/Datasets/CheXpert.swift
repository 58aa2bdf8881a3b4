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
    let prompts = try PromptTexts(request, templates)
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
      promptSets: try prompts.sets(
        first: "published", classes: names.map(prompts.named), known: Finding.allCases.map(\.rawValue)))
    dataset.leftOut = leftOut.filter { $0.value > 0 }
    dataset.badRows = reader.faults.rows
    if request.split == .test, request.leavesOutUnclassed { dataset.leaveOutRowsWithoutClass() }
    dataset.notes = notes(dataset.samples, request) + reader.notes + prompts.notes
    if shifted > 0 {
      dataset.notes.append(
        "\(shifted) pictures have the labels of an earlier row, as published (label_shift)")
    }
    dataset.captionLength = captionLength(request)
    return dataset
  }

  /// Where pictures are scored on one class, test pictures without any of the classes count as the first class, as
  /// published, and those with several as the first they have: a run says how many.
  private static func notes(_ samples: [Sample], _ request: DatasetRequest) -> [String] {
    if !request.scoresOneClass { return notesOnUncertainLabels(samples, split: request.split) }
    let count = request.split == .test ? samples.count { $0.labels.isEmpty } : 0
    let none =
      count == 0 ? [] : ["\(count) test pictures have none of the classes and count as the first class"]
    return none + notesOnSeveralClasses(samples, split: request.split)
  }
}
