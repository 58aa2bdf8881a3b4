import ArgumentParser
import CleftFormats
import CleftTraining
import Foundation

/// What a command line takes over from the run that it names: `cleft eval RUN`, `cleft train --resume_ckpt RUN`.
///
/// Whatever is typed or stands in a `--config` file wins.
extension ArgumentExpansion {
  /// What says which data a run was trained on.
  private static let dataOptions: Set<String> = [
    "dataset", "rsna", "embed", "train_csv", "valid_csv", "test_csv", "image_column", "text_column",
    "label_columns",
    "class_column", "patient_column", "split_column", "separator", "image_dir", "captions", "image_suffix",
    "structural_cap", "simple_cap", "natural_cap", "pred_density", "embed_findings_csv", "embed_clinical_csv",
    "embed_legend_csv", "embed_density_pickle",
  ]

  /// What says how pictures and texts of a run were read, and how it computed.
  private static let readingOptions: Set<String> = ["compat", "quirk", "precision", "data_dir"]

  private var isEvaluation: Bool { command == EvalCommand.self }

  /// The options of the run that is named, as they would be typed in front of all others.
  func optionsOfRun() throws -> [String] {
    guard let file = try fileOfRun() else { return [] }
    return isEvaluation ? evaluationOptions(file) : resumptionOptions(file)
  }

  /// The options file of the run that is named; nil where none is named, or it has none.
  func fileOfRun() throws -> ConfigFile? {
    if isEvaluation {
      let candidates = places.flatMap { [$0, "\($0)/../.."] }.map { "\($0)/resolved.yaml" }
      guard let path = candidates.first(where: FileSystem.exists) else { return nil }
      return try ConfigFile(path, declared) {
        Self.dataOptions.contains($0) || Self.readingOptions.contains($0) || $0 == "five_cls"
          || $0 == "img_cls_ft"
      }
    }
    guard let path = resumedFile else { return nil }
    // Options that there are no more cannot be heeded; the checkpoint's settings say whether that matters.
    let known = Set(declared.map(\.name))
    return try ConfigFile(path, declared, where: known.contains)
  }

  /// What an evaluation takes over from its run: the dataset unless another is named, and how pictures and texts are read.
  ///
  /// CheXpert is the usual dataset anyway, but for its number of classes.
  private func evaluationOptions(_ file: ConfigFile) -> [String] {
    let reading = file.entries.filter { Self.readingOptions.contains($0.name) }.flatMap(\.arguments)
    if namesDataset { return reading }
    let isClassifier = file.entries.contains { $0.arguments == ["--img_cls_ft"] }
    let classes = file.entries.filter { $0.name == "five_cls" }.flatMap(\.arguments)
    let known = file.entries.filter { Self.dataOptions.contains($0.name) }.flatMap(\.arguments)
    let isElsewhere = known.contains("--embed") || known.contains("--rsna")
    let isUsual = known.contains("--dataset=chexpert") && !isElsewhere && !isClassifier
    return (isUsual ? [] : known) + classes + reading
  }

  /// A resumed run has the options that it began with.
  private func resumptionOptions(_ file: ConfigFile) -> [String] {
    // Of these a second one would not take the place of the first.
    var left: Set<String> = has("quirk") ? ["quirk"] : []
    if namesDataset { left.formUnion(["dataset", "rsna", "embed"]) }
    return file.entries.filter { !left.contains($0.name) }.flatMap(\.arguments)
  }

  /// Whether the command line says which dataset is meant.
  private var namesDataset: Bool { has("dataset") || has("rsna") || has("embed") }

  /// Whether the command line has an option and does not take it back.
  private func has(_ name: String) -> Bool {
    given.contains { ($0 == "--\(name)" || $0.hasPrefix("--\(name)=")) && !isTakenBack($0) }
  }

  /// The options file of the run that `--resume_ckpt` goes on in: a run folder, or a checkpoint in one.
  private var resumedFile: String? {
    let option = "--resume_ckpt="
    guard command == TrainCommand.self, !has("eval"),
      let place = given.last(where: { $0.hasPrefix(option) })?.dropFirst(option.count), place != "last"
    else { return nil }
    let folder = URL(fileURLWithPath: String(place)).standardizedFileURL
    let above = folder.deletingLastPathComponent()
    let runs = [folder, above, above.deletingLastPathComponent()].enumerated().filter { depth, _ in
      depth == 0 || (depth == 1 ? folder : above).lastPathComponent == "checkpoints"
    }
    return runs.map { $0.element.path + "/resolved.yaml" }.first(where: FileSystem.exists)
  }
}
