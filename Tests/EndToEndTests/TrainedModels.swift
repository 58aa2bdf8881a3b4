import CleftFormats
import Foundation

/// Runs of a few steps on the small synthetic set, made once for all tests that use a trained model.
enum TrainedModels {
  /// A pair of towers, asked for the five classes.
  static let pair = train(["--linear_proj"])
  /// A classifier of the five classes.
  static let classifier = train(["--img_cls_ft"])

  /// Pictures of the set's test table, in its order.
  static let pictures: [String] = {
    let table = try? CSVTable(PipelineTests.data + "/CheXpert/chexpert_5x200.csv")
    precondition((table?.rows.count ?? 0) >= 6, "no test table")
    let column = table?.columns.firstIndex(of: "Path") ?? 0
    let below = PipelineTests.data + "/CheXpert/CheXpert-v1.0"
    return (table?.rows ?? []).map { row in
      // The published paths start with the name of the download.
      let parts = row[column].split(separator: "/").drop { !["train", "valid", "test"].contains($0) }
      return ([below] + parts.map(String.init)).joined(separator: "/")
    }
  }()

  /// The folder of a new run.
  private static func train(_ options: [String]) -> String {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--model", "tiny", "--image_size", "56", "--five_cls",
        "--batch_size", "8", "--max_steps", "3", "--devices", "1", "--warm_up", "1", "--learning_rate",
        "1e-3",
        "--no_tensorboard",
      ] + options, in: folder)
    precondition(result?.status == 0, "train: \(result?.errors ?? "")")
    let logs = folder + "/logs/CLEFT"
    return "\(logs)/\(FileSystem.list(logs).last ?? "")"
  }

  /// A folder with copies of some pictures, in a folder below it, and a file that is none.
  static func folderOfPictures(_ count: Int) throws -> String {
    let folder = try Tool.scratch() + "/scans"
    try FileSystem.makeFolder(folder + "/below")
    for (index, path) in pictures.prefix(count).enumerated() {
      let name = index == 0 ? "a" : "below/\(index)"
      // Pictures are told by what is in them.
      try FileManager.default.copyItem(atPath: path, toPath: "\(folder)/\(name).image")
    }
    try Data("about the scans".utf8).write(to: URL(fileURLWithPath: folder + "/notes.txt"))
    return folder
  }

  /// Writes a file that begins as a PNG and is none.
  static func damagedPicture(_ folder: String) throws -> String {
    let path = folder + "/damaged.png"
    try Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3]).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// The one line of an error.
  static func refusal(_ result: Tool.Result) -> String {
    result.errors.split(separator: "\n").filter { $0.hasPrefix("cleft: error: ") }.joined(separator: "\n")
  }
}
