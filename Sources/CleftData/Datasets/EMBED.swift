import CleftFormats
import Foundation

/// EMBED mammograms as the published program reads them: 2D pictures, captions from metadata and radiologists' codes.
///
/// Labels are the row's own: BI-RADS 0 to 6, or density 1 to 4 as classes 0 to 3. The published program looks for the
/// BI-RADS number in the caption and finds none under the default captions; that is refused where published behavior is
/// asked for, and put right otherwise.
/// - Source: Jeong et al. 2023, *Radiology: Artificial Intelligence* 5(1); `cleft.md` §2.4.
public enum EMBED {
  /// Folder of the layout below the data folder.
  public static let folder = "Embed"
  /// Folder of the images below that.
  public static let imageFolder = "images"
  /// Where pictures lie in the tables: the image folder stands in its place.
  public static let publishedPrefix = "/mnt/NAS2/mammo/anon_dicom"

  /// Caption families by the name that a request calls them; `default` is the one without a name.
  static let families = ["default", "simple", "structural", "natural"]

  /// Its line in the catalogue.
  static let entry = DatasetCatalog.Entry(
    name: "embed", summary: "EMBED mammograms: BI-RADS, or density",
    heeds: [
      "structural_cap", "simple_cap", "natural_cap", "instance_test_cap", "pred_density", "balanced_test",
      "small_balanced_train", "embed_findings_csv", "embed_clinical_csv", "embed_legend_csv",
      "embed_density_pickle",
    ],
    quirks: quirks, captions: PackageResources.embed_yaml, tables: tables,
    captionLength: captionLength, open: open)

  /// The metadata table of a request.
  public static func tablePath(_ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/\(metadataTable(request.split))"
  }

  /// Files that a split is read from: metadata, findings, and what the labels and captions need beside them.
  public static func tables(_ request: DatasetRequest) -> [String] {
    var paths = [request.table ?? tablePath(request), findingsPath(request)]
    if needsFullTable(request) { paths += [clinicalPath(request), legendPath(request)] }
    if let list = EMBEDListKind.of(request) {
      let path = list.path(request)
      if list.isRequired(request) || FileSystem.exists(path) { paths.append(path) }
    }
    return paths
  }

  /// Columns of a tokenized caption, as published.
  public static func captionLength(_ request: DatasetRequest) -> Int { needsFullTable(request) ? 144 : 72 }

  /// Reads a split.
  ///
  /// - Throws: `DataError` and `FormatError` with file, line and column.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    try validate(request)
    let images = "\(request.dataFolder)/\(folder)/\(imageFolder)"
    if request.table == nil { try requireFolder(images, hint: "Pass --data_dir.") }
    let templates = try CaptionTemplates.forRequest(request, dataset: entry.name)
    let table = try CSVTable(request.table ?? tablePath(request), setsRaggedAside: true)
    let columns = try EMBEDPictureColumns(table)
    let flat = table.rows.indices.filter { columns.isFlat(table.rows[$0]) }
    let rows = request.takesShare ? try request.share(of: flat) : flat
    var labels = try EMBEDLabels(request)
    var reader = try EMBEDRows(table: table, images: images, request: request, templates: templates)
    let prompts = try PromptTexts(request, templates)
    let names = reader.texts.classNames(request)
    var samples: [Sample] = []
    samples.reserveCapacity(rows.count)
    for row in rows {
      if let sample = try reader.sample(table.rows[row], line: table.lines[row], labels: &labels) {
        samples.append(sample)
      }
    }
    var leftOut = reader.leftOut
    leftOut["not 2D"] = table.rows.count - flat.count
    var dataset = ImageTextDataset(
      name: "EMBED \(request.split.rawValue)", table: table.path, samples: samples,
      classNames: names,
      promptSets: try EMBEDTexts(prompts.templates).promptSets(request, prompts, classNames: names))
    dataset.leftOut = leftOut.filter { $0.value > 0 }
    dataset.badRows = reader.faults.rows
    dataset.notes = labels.notes
    if request.isSmallBalancedTrain, request.quirks.has(.ignoredBalancedTrain) {
      dataset.notes.append("--small_balanced_train is not heeded, as published (ignored_balanced_train)")
    }
    dataset.notes += reader.notes + prompts.notes
    if !reader.emptiedColumns.isEmpty {
      let names = reader.emptiedColumns.joined(separator: ", ")
      dataset.notes.append(
        "columns of whole numbers count as empty, as published (integer_columns): \(names)")
    }
    dataset.captionLength = captionLength(request)
    return dataset
  }

  /// A split's metadata, below EMBED's folder.
  static func metadataTable(_ split: Split) -> String {
    "tables/" + tableName("metadata_reduced_\(split.rawValue)")
  }

  /// File name of a table by the part that differs.
  static func tableName(_ part: String) -> String { "EMBED_OpenData_\(part).csv" }

  /// The reduced table of findings.
  static func findingsPath(_ request: DatasetRequest) -> String {
    request.embed.findings ?? table(tableName("clinical_reduced"), request)
  }

  /// The full table of findings.
  static func clinicalPath(_ request: DatasetRequest) -> String {
    request.embed.clinical ?? table(tableName("clinical"), request)
  }

  /// The table of what codes mean.
  static func legendPath(_ request: DatasetRequest) -> String {
    request.embed.legend ?? table("AWS_Open_Data_Clinical_Legend.csv", request)
  }

  /// A table of the layout by its file name.
  private static func table(_ name: String, _ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/tables/\(name)"
  }

  /// Whether captions speak of masses and calcifications.
  static func needsFullTable(_ request: DatasetRequest) -> Bool {
    request.captionFamily == "structural" || request.captionFamily == "natural"
  }

  private static func quirks(_ request: DatasetRequest) -> [Quirk] {
    var quirks: [Quirk] = [.embedGaps, .integerColumns]
    if request.isSmallBalancedTrain { quirks.append(.ignoredBalancedTrain) }
    if request.captionFamily == nil, !request.predictsDensity { quirks.append(.embedDefaultEmpty) }
    return quirks + [.dicomMaximum]
  }

  private static func validate(_ request: DatasetRequest) throws(DataError) {
    try requireOneQuestion(
      request, of: entry.name,
      reason: "Leave it out: a picture has one \(request.predictsDensity ? "density" : "BI-RADS category").")
    let family = request.captionFamily ?? "default"
    guard families.contains(family) else {
      throw .badRequest(
        Problem("embed", found: "no caption family '\(family)'", expected: families.joined(separator: ", ")))
    }
    guard !request.quirks.has(.embedDefaultEmpty) || request.predictsDensity || family != "default" else {
      throw .badRequest(
        Problem(
          "embed", found: "BI-RADS labels with the default captions, as published",
          expected: "a caption family whose last sentences hold the BI-RADS number",
          hint:
            "The published program looks for it in the first sentence, finds none there and has no picture"
            + " left. Pass --simple_cap, --structural_cap, --natural_cap, --pred_density or --quirk"
            + " embed_default_empty=off."))
    }
  }
}
