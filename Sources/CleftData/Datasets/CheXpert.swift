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
    let classes = request.usesFiveClasses ? Finding.five : Finding.allCases
    let path = try table.column("Path")
    let view = try table.column("AP/PA")
    var columns: [Finding: Int] = [:]
    for finding in Finding.allCases
    where !request.usesFiveClasses || classes.contains(finding) || request.split == .test {
      columns[finding] = try table.column(finding.rawValue)
    }
    // A five-class table may carry all fourteen columns; captions then name them all.
    for finding in Finding.allCases where columns[finding] == nil {
      columns[finding] = table.columns.firstIndex(of: finding.rawValue)
    }
    var leftOut: [String: Int] = [:]
    var samples: [Sample] = []
    for (row, line) in zip(table.rows, table.lines) {
      let origin = "\(table.path):\(line)"
      guard row[view] == "AP" || row[view] == "PA" else {
        leftOut["not frontal", default: 0] += 1
        continue
      }
      var positives: [Finding] = []
      for finding in Finding.allCases {
        guard let column = columns[finding] else { continue }
        guard let state = FindingState(cell: row[column]) else {
          throw DataError.badData(
            Problem(
              origin, found: "column '\(finding.rawValue)' is '\(row[column])'",
              expected: "1, 0, -1 or empty",
              hint: "Fix the row."))
        }
        if state == .positive { positives.append(finding) }
      }
      let sentences = Captions.chexpert(positives: positives, hasPrefix: !request.isPromptTuning)
      guard !sentences.isEmpty || request.split == .test else {
        leftOut["no caption", default: 0] += 1
        continue
      }
      samples.append(
        Sample(
          imagePath: images + "/" + row[path].split(separator: "/").dropFirst().joined(separator: "/"),
          caption: sentences.joined(separator: " "),
          labels: positives.compactMap(classes.firstIndex).sorted(),
          origin: origin))
    }
    if request.fraction < 1 { samples = Subsampling.pandas(samples, fraction: request.fraction) }
    let names = classes.map(\.rawValue)
    return ImageTextDataset(
      name: request.split == .test ? "CheXpert-5x200" : "CheXpert \(request.split.rawValue)",
      samples: samples,
      classNames: names,
      promptSets: [
        PromptSet(
          name: "published", prompts: names.map { Captions.prompt($0, hasPrefix: !request.isPromptTuning) })
      ], leftOut: leftOut)
  }
}
