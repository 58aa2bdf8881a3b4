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

  /// Name of the table of a split; the published program validates on its training table.
  public static func table(_ split: Split) -> String {
    split == .test ? "stage_2_test_balance.csv" : "stage_2_train_balance.csv"
  }

  /// Reads a split.
  @Sendable
  public static func open(_ request: DatasetRequest) throws -> ImageTextDataset {
    let root = "\(request.dataFolder)/\(folder)"
    try requireFolder(
      "\(root)/\(imageFolder)", hint: "Pass --data_dir, or make a synthetic set with 'cleft synth'.")
    let table = try CSVTable("\(root)/\(Self.table(request.split))")
    let patient = try table.column("patientId")
    let target = try table.column("Target")
    var samples: [Sample] = []
    for (row, line) in zip(table.rows, table.lines) {
      let origin = "\(table.path):\(line)"
      guard let label = Int(row[target]), label == 0 || label == 1 else {
        throw DataError.badData(
          Problem(
            origin, found: "column 'Target' is '\(row[target])'", expected: "0 or 1", hint: "Fix the row."))
      }
      samples.append(
        Sample(
          imagePath: "\(root)/\(imageFolder)/\(row[patient]).dcm", caption: nil, labels: [label],
          origin: origin))
    }
    if request.fraction < 1, request.split == .train {
      samples = Subsampling.python(samples, fraction: request.fraction)
    }
    func prompts(_ positive: String) -> [String] {
      ["no findings", positive].map { Captions.prompt($0, hasPrefix: !request.isPromptTuning) }
    }
    let sets = [
      PromptSet(name: "pneumonia", prompts: prompts("pneumonia")),
      PromptSet(name: "published (pneumothorax)", prompts: prompts("pneumothorax")),
    ]
    return ImageTextDataset(
      name: "RSNA", table: table.path, samples: samples, classNames: ["no finding", "pneumonia"],
      promptSets: request.isReference ? sets.reversed() : sets)
  }
}
