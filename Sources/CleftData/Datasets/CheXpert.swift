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

  /// Name of the table of a split.
  public static func table(_ split: Split, usesFiveClasses: Bool) -> String {
    switch split {
    case .train: usesFiveClasses ? "train_cheXbert_95_five_classes.csv" : "train_cheXbert_clean_95.csv"
    case .valid: usesFiveClasses ? "train_cheXbert_5_five_classes.csv" : "train_cheXbert_clean_5.csv"
    case .test: "chexpert_5x200.csv"
    }
  }

  /// Reads a split.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    let root = "\(request.dataFolder)/\(folder)"
    let images = "\(root)/\(imageFolder)"
    try requireFolder(images, hint: "Pass --data_dir, or make a synthetic set with 'cleft synth'.")
    let table = try CSVTable("\(root)/\(Self.table(request.split, usesFiveClasses: request.usesFiveClasses))")
    let view = try table.column("AP/PA")
    var rows = zip(table.rows, table.lines).filter { $0.0[view] == "AP" || $0.0[view] == "PA" }
    var leftOut = ["not frontal": table.rows.count - rows.count]
    if request.fraction < 1 { rows = Subsampling.pandas(rows, fraction: request.fraction) }
    let reader = try RowReader(table: table, images: images, request: request)
    let samples = try rows.compactMap { try reader.sample($0.0, line: $0.1) }
    leftOut["no caption"] = rows.count - samples.count
    let names = reader.classes.map(\.rawValue)
    return ImageTextDataset(
      name: request.split == .test ? "CheXpert-5x200" : "CheXpert \(request.split.rawValue)",
      table: table.path,
      samples: samples, classNames: names,
      promptSets: [
        PromptSet(
          name: "published", prompts: names.map { Captions.prompt($0, hasPrefix: !request.isPromptTuning) })
      ], leftOut: leftOut.filter { $0.value > 0 })
  }

  /// Turns rows of one table into samples.
  private struct RowReader {
    let table: CSVTable
    let images: String
    let request: DatasetRequest
    let classes: [Finding]
    private let path: Int
    private let columns: [Finding: Int]

    init(table: CSVTable, images: String, request: DatasetRequest) throws(FormatError) {
      self.table = table
      self.images = images
      self.request = request
      classes = request.usesFiveClasses ? Finding.five : Finding.allCases
      path = try table.column("Path")
      var columns: [Finding: Int] = [:]
      for finding in Finding.allCases {
        // A five-class training table may carry all fourteen columns; captions then name them all.
        let isOptional = request.usesFiveClasses && request.split != .test && !classes.contains(finding)
        columns[finding] =
          isOptional ? table.columns.firstIndex(of: finding.rawValue) : try table.column(finding.rawValue)
      }
      self.columns = columns
    }

    /// The sample of a row; nil without a caption to train with.
    func sample(_ row: [String], line: Int) throws(DataError) -> Sample? {
      let origin = "\(table.path):\(line)"
      var positives: [Finding] = []
      for finding in Finding.allCases {
        guard let column = columns[finding] else { continue }
        guard let state = FindingState(cell: row[column]) else {
          throw .badData(
            Problem(
              origin, found: "column '\(finding.rawValue)' is '\(row[column])'",
              expected: "1, 0, -1 or empty",
              hint: "Fix the row."))
        }
        if state == .positive { positives.append(finding) }
      }
      let sentences = Captions.chexpert(positives: positives, hasPrefix: !request.isPromptTuning)
      if sentences.isEmpty && request.split != .test { return nil }
      return Sample(
        imagePath: images + "/" + row[path].split(separator: "/").dropFirst().joined(separator: "/"),
        caption: sentences.joined(separator: " "), labels: positives.compactMap(classes.firstIndex).sorted(),
        origin: origin)
    }
  }
}
