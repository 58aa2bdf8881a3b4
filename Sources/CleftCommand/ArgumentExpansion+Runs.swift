import ArgumentParser
import CleftFormats
import CleftTraining
import Foundation

/// What a command line takes over from the run that it names: `cleft eval RUN`, `cleft predict … --pretrained_model RUN`,
/// `cleft train --resume_ckpt RUN`.
///
/// Whatever is typed or stands in a `--config` file wins.
extension ArgumentExpansion {
  /// Commands whose first word names a run to score, as in `cleft eval RUN`.
  ///
  /// One line here gives a command the run's options.
  private static let evaluations: [any ParsableCommand.Type] = [EvalCommand.self, ProbeCommand.self]

  /// Commands whose words name pictures, and that use the model that `--pretrained_model` names.
  private static let uses: [any ParsableCommand.Type] = [PredictCommand.self, EmbedCommand.self]

  /// What says which data a run was trained on.
  private static let dataOptions: Set<String> = [
    "dataset", "rsna", "embed", "train_csv", "valid_csv", "test_csv", "image_column", "text_column",
    "label_columns",
    "class_column", "patient_column", "split_column", "separator", "image_dir", "captions", "image_suffix",
    "prepared",
    "structural_cap", "simple_cap", "natural_cap", "pred_density", "embed_findings_csv", "embed_clinical_csv",
    "embed_legend_csv", "embed_density_pickle",
  ]

  /// What says how pictures and texts of a run were read, and how it computed.
  private static let readingOptions: Set<String> = [
    "compat", "quirk", "precision", "data_dir", "multi_label",
  ]

  /// What decides how the options above are taken; a command need not have them.
  private static let kindOptions = [
    DeclaredOption(name: "five_cls", takesValue: false),
    DeclaredOption(name: "img_cls_ft", takesValue: false),
  ]

  private func isOne(of commands: [any ParsableCommand.Type]) -> Bool {
    commands.contains { $0 == command }
  }

  /// Whether the command uses a finished run instead of going on with it.
  private var usesRun: Bool { isOne(of: Self.evaluations) || isOne(of: Self.uses) }

  /// The options of the run that is named, as they would be typed in front of all others.
  func optionsOfRun() throws -> [String] {
    guard let file = try fileOfRun() else { return [] }
    return usesRun ? evaluationOptions(file) : resumptionOptions(file)
  }

  /// The options file of the run that is named; nil where none is named, or it has none.
  func fileOfRun() throws -> ConfigFile? {
    if usesRun {
      guard let path = usedPlaces.flatMap(optionFiles).first(where: FileSystem.exists) else { return nil }
      let own = Set(declared.map(\.name))
      let known = declared + Self.kindOptions.filter { !own.contains($0.name) }
      return try ConfigFile(path, known) { name in
        let isWanted = Self.dataOptions.contains(name) || Self.readingOptions.contains(name)
        return isWanted && own.contains(name) || Self.kindOptions.contains { $0.name == name }
      }
    }
    guard let path = resumedFile else { return nil }
    // Options that there are no more cannot be heeded; the checkpoint's settings say whether that matters.
    let known = Set(declared.map(\.name))
    return try ConfigFile(path, declared, where: known.contains)
  }

  /// Where the run that is used may be.
  private var usedPlaces: [String] {
    if isOne(of: Self.evaluations) { return places }
    let option = "--pretrained_model="
    return given.last { $0.hasPrefix(option) }.map { [String($0.dropFirst(option.count))] } ?? []
  }

  /// Where the options of a model may stand: with a checkpoint, which may have been moved, or in its run folder.
  private func optionFiles(_ place: String) -> [String] {
    let place = (place as NSString).expandingTildeInPath
    let checkpoint = (try? Checkpoint.locate(place)).map { ["\($0)/options.yaml"] } ?? []
    return ["\(place)/options.yaml"] + checkpoint
      + [place, "\(place)/../.."].map { "\($0)/resolved.yaml" }
  }

  /// What the use of a run takes over from it: the dataset unless another is named, and how pictures and texts are read.
  private func evaluationOptions(_ file: ConfigFile) -> [String] {
    let reading = file.entries.filter { Self.readingOptions.contains($0.name) }.flatMap(\.arguments)
    if namesDataset { return reading }
    let hasClasses = declared.contains { $0.name == "five_cls" }
    let classes = hasClasses ? file.entries.filter { $0.name == "five_cls" }.flatMap(\.arguments) : []
    let known = file.entries.filter { Self.dataOptions.contains($0.name) }.flatMap(\.arguments)
    return known + classes + reading
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
