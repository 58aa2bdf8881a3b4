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

  /// The metadata table of a request.
  public static func tablePath(_ request: DatasetRequest) -> String {
    table("metadata_reduced_\(request.split.rawValue)", request)
  }

  /// Files that a split is read from: metadata, findings, and what the labels and captions need beside them.
  public static func tables(_ request: DatasetRequest) -> [String] {
    var paths = [request.table ?? tablePath(request), table("clinical_reduced", request)]
    if needsFullTable(request) { paths += [table("clinical", request), legendPath(request)] }
    // The list of densities is optional, a balanced list is not.
    if let list = EMBEDPathList.path(request), EMBEDPathList.isBalanced(request) || FileSystem.exists(list) {
      paths.append(list)
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
    try requireFolder(images, hint: "Pass --data_dir.")
    let templates = try CaptionTemplates.forRequest(request, dataset: "embed")
    let table = try CSVTable(request.table ?? tablePath(request))
    let kind = try table.column("FinalImageType")
    let flat = table.rows.indices.filter { table.rows[$0][kind] == "2D" }
    let rows = request.takesShare ? Subsampling.pandas(flat, fraction: request.fraction) : flat
    var labels = try EMBEDLabels(request)
    var reader = try EMBEDRows(table: table, images: images, request: request, templates: templates)
    var samples: [Sample] = []
    samples.reserveCapacity(rows.count)
    for row in rows {
      if let sample = try reader.sample(table.rows[row], line: table.lines[row], labels: &labels) {
        samples.append(sample)
      }
    }
    var leftOut = reader.leftOut
    leftOut["not 2D"] = table.rows.count - flat.count
    return ImageTextDataset(
      name: "EMBED \(request.split.rawValue)", table: table.path, samples: samples,
      classNames: reader.texts.classNames(request), promptSets: try reader.texts.promptSets(request),
      leftOut: leftOut.filter { $0.value > 0 }, badRows: reader.faults.rows, notes: labels.notes,
      captionLength: captionLength(request))
  }

  /// A table of the layout by the part of its name that differs.
  static func table(_ name: String, _ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/tables/EMBED_OpenData_\(name).csv"
  }

  /// The table of what codes mean.
  static func legendPath(_ request: DatasetRequest) -> String {
    "\(request.dataFolder)/\(folder)/tables/AWS_Open_Data_Clinical_Legend.csv"
  }

  /// Whether captions speak of masses and calcifications.
  static func needsFullTable(_ request: DatasetRequest) -> Bool {
    request.captionFamily == "structural" || request.captionFamily == "natural"
  }

  private static func validate(_ request: DatasetRequest) throws(DataError) {
    let family = request.captionFamily ?? "default"
    guard families.contains(family) else {
      throw .badRequest(
        Problem("embed", found: "no caption family '\(family)'", expected: families.joined(separator: ", ")))
    }
    guard !request.isReference || request.predictsDensity || family != "default" else {
      throw .badRequest(
        Problem(
          "embed", found: "BI-RADS labels with the default captions, as published",
          expected: "a caption family whose last sentences hold the BI-RADS number",
          hint:
            "The published program looks for it in the first sentence, finds none there and has no picture"
            + " left. Pass --simple_cap, --structural_cap, --natural_cap, --pred_density or --compat fixed."))
    }
  }
}
