import CleftFormats
import Foundation

/// RSNA pneumonia detection, balanced, as the published program reads it.
///
/// Evaluation only: it has no captions.
///
/// The published positive prompt says *pneumothorax* although the question is pneumonia; the right word is scored and
/// the published one reported beside it.
/// - Source: Shih et al. 2019; `cleft.md` §2.3.
public enum RSNA {
  /// Folder of the layout below the data folder.
  public static let folder = "RSNA Pneumonia"
  /// Folder of the images of all splits below that.
  public static let imageFolder = "stage_2_train_images"

  /// Its line in the catalogue.
  static let entry = DatasetCatalog.Entry(
    name: "rsna", summary: "RSNA pneumonia, balanced",
    // The published commands pass --five_cls here too, where it has no effect.
    heeds: ["five_cls", "keep_size"], canTrainContrastively: false,
    // As published, prompts are read without the X in front.
    keepsLeadingSpace: { !$0.has(.rsnaPlainPrompts) }, quirks: quirks,
    captions: PackageResources.rsna_yaml, tables: tables,
    captionLength: captionLength, open: open)

  private static let classNames = ["no finding", "pneumonia"]

  /// Word tables of the texts: the one scored, and the published one.
  private static let (scored, published) = ("pneumonia", "published")

  /// Name of the table of a split; the published program validates on its training table.
  public static func table(_ split: Split) -> String {
    split == .test ? "stage_2_test_balance.csv" : "stage_2_train_balance.csv"
  }

  /// The published table of a request.
  public static func tablePath(_ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/\(table(request.split))"
  }

  /// Columns of a tokenized prompt, as published.
  public static func captionLength(_ request: DatasetRequest) -> Int { 64 }

  /// The table of a request; none for validation where the training table is not to stand in for one.
  private static func tables(_ request: DatasetRequest) -> [String] {
    if let table = request.table { return [table] }
    let hasTable = request.split != .valid || request.quirks.has(.rsnaValidatesOnTraining)
    return hasTable ? [tablePath(request)] : []
  }

  private static func quirks(_ request: DatasetRequest) -> [Quirk] {
    [.pneumothoraxPrompt] + (request.isPromptTuning ? [.rsnaPlainPrompts] : []) + [.dicomMaximum]
  }

  /// Reads a split.
  ///
  /// - Throws: `DataError` and `FormatError` with file, line and column.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    try requireOneQuestion(
      request, of: entry.name,
      reason: "Leave it out: 'no finding' or 'pneumonia' is the one question there is, and the same.")
    let images = "\(request.dataFolder)/\(folder)/\(imageFolder)"
    if request.table == nil {
      try requireFolder(images, hint: "Pass --data_dir, or make a synthetic set with 'cleft synth'.")
    }
    guard let path = tables(request).first else {
      throw DataError.badRequest(
        Problem(
          "--valid_split valid", found: "RSNA, whose layout has no validation table", expected: "--valid_csv",
          hint: "The published program validates on the training table: --quirk rsna_valid_train=on."))
    }
    let templates = try CaptionTemplates.forRequest(request, dataset: entry.name)
    let prompts = try PromptTexts(request, templates)
    let table = try CSVTable(path, setsRaggedAside: true)
    var faults = try RowFaults(request, table)
    var traits = try TraitColumns([table], request)
    var samples = try samples(table, images: images, request: request, &faults, &traits)
    if request.fraction < 1, request.split == .train {
      samples = try request.share(of: samples) { Subsampling.python($0, fraction: $1) }
      // A share with a row in it goes into the whole no more often than there are rows.
      if request.keepsSize {
        samples = Array(repeating: samples, count: Int(1 / request.fraction)).flatMap { $0 }
      }
    }
    let validatesOnTraining = request.split == .valid && request.table == nil
    var dataset = ImageTextDataset(
      name: "RSNA", table: table.path, samples: samples, classNames: classNames,
      promptSets: try promptSets(prompts, request))
    dataset.badRows = faults.rows
    if validatesOnTraining {
      dataset.notes = [
        "RSNA's published validation table is the training table; pass --valid_csv for another"
      ]
    }
    dataset.notes += traits.notes + prompts.notes
    dataset.captionLength = captionLength(request)
    return dataset
  }

  private static func samples(
    _ table: CSVTable, images: String, request: DatasetRequest, _ faults: inout RowFaults,
    _ traits: inout TraitColumns
  ) throws -> [Sample] {
    let patient = try table.column("patientId")
    let target = try table.column("Target")
    var samples: [Sample] = []
    samples.reserveCapacity(table.rows.count)
    for (row, line) in zip(table.rows, table.lines) {
      let origin = "\(table.path):\(line)"
      if TableCell.isMissing(row[patient]) {
        try faults.add(.empty("patientId"), origin: origin, imagePath: "")
        continue
      }
      let path = request.picturePath("\(images)/\(row[patient]).dcm")
      let state = FindingState(cell: row[target])
      guard state == .positive || state == .negative else {
        try faults.add(
          .label("Target", row[target], expected: "0 or 1"), origin: origin, imagePath: path)
        continue
      }
      var sample = Sample(
        imagePath: path, caption: nil, labels: [state == .positive ? 1 : 0], origin: origin,
        patient: row[patient])
      sample.traits = traits.traits([row], origin: origin)
      samples.append(sample)
    }
    return samples
  }

  /// One set for each word table: the right question first, or the published one where that is asked for.
  ///
  /// A file of prompt sets is made with the right words alone.
  private static func promptSets(
    _ prompts: PromptTexts, _ request: DatasetRequest
  ) throws(DataError) -> [PromptSet] {
    let templates = prompts.templates
    if prompts.isOwnFile { return try prompts.fileSets(classes(scored, templates), known: classNames) }
    let first = request.quirks.has(.pneumothoraxPrompt) ? published : scored
    let template = request.isPromptTuning ? "prompt_ft" : "published"
    var sets: [PromptSet] = []
    for name in [first] + templates.words.keys.sorted().filter({ $0 != first }) {
      let positive = templates.word(name, "1") ?? name
      sets.append(
        try prompts.set(
          template, as: name == positive ? name : "\(name) (\(positive))", classes(name, templates),
          known: classNames))
    }
    return sets
  }

  /// The classes in the words of a table.
  private static func classes(
    _ table: String, _ templates: CaptionTemplates
  ) throws(DataError) -> [PromptClass] {
    var classes: [PromptClass] = []
    for (code, name) in classNames.enumerated() {
      guard let words = templates.word(table, "\(code)") else {
        throw .badData(
          Problem(
            "\(templates.source): words: \(table)", found: "no words for class \(code)",
            expected: "0 (no finding) and 1 (pneumonia)"))
      }
      classes.append(PromptClass(name: name, values: ["CLASS": templates.word("classes", name) ?? words]))
    }
    return classes
  }
}
