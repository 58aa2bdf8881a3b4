import CleftData
import CleftFormats
import CleftTraining
import Foundation

/// What is evaluated: a model, and where it comes from.
struct EvaluationSubject {
  /// In texts: `zero-shot`, `classified`.
  let title: String
  /// Whether prompts score, not a classifier.
  let isZeroShot: Bool
  /// The path that was named; nil for weights of a run that is just ending.
  let path: String?
  /// The run that the weights are of; nil for a file.
  let runFolder: String?
  /// Optimizer steps done.
  let step: Int
  /// What a reader wants to know of the model, name and value.
  let facts: [(name: String, value: String)]

  /// Whether a folder belongs to a run, and which one: the folder itself, or the one two levels above a checkpoint.
  static func runFolder(of path: String) -> String? {
    let given = (path as NSString).expandingTildeInPath as NSString
    let above = (given.deletingLastPathComponent as NSString).deletingLastPathComponent
    let absolute = URL(fileURLWithPath: given as String).standardizedFileURL
    let higher = absolute.deletingLastPathComponent().deletingLastPathComponent().path
    return [given as String, above, higher].first {
      !$0.isEmpty && FileSystem.exists($0 + "/resolved.yaml")
    }
  }
}

/// Where an evaluation's files are.
enum EvaluationFolder {
  /// Names of its files.
  static let (predictions, metrics, page) = ("predictions.csv", "metrics.json", "report.html")

  /// The folder of an evaluation of a dataset, unless `--out` names another.
  ///
  /// Each question has its own, so that none takes another's place.
  /// - Parameter subject: what is evaluated; evaluations of a run lie in its folder.
  static func path(
    _ subject: EvaluationSubject, _ dataset: ImageTextDataset, _ options: TrainOptions
  ) -> String? {
    let evaluation = options.run.evaluation
    if evaluation.no_report { return nil }
    if let given = evaluation.out { return (given as NSString).expandingTildeInPath }
    let name = self.name(dataset.name, options)
    if let run = subject.runFolder { return "\(run)/eval/\(name)" }
    let model = URL(fileURLWithPath: subject.path ?? "model").deletingPathExtension().lastPathComponent
    return "\(options.run.log.log_dir)/eval/\(model)-\(name)"
  }

  /// Name of the folder of a question: the dataset, and what is asked otherwise than usually.
  private static func name(_ dataset: String, _ options: TrainOptions) -> String {
    let evaluation = options.run.evaluation
    let file = evaluation.prompts.map { URL(fileURLWithPath: $0).deletingPathExtension().lastPathComponent }
    let asksForAll = options.data.entry.name == "chexpert" && !options.data.five_cls
    let step = (options.model.pretrained_model as NSString?)?.lastPathComponent
    let parts = [
      dataset, step.flatMap { $0.hasPrefix("step-") ? $0 : nil }, asksForAll ? "14 findings" : nil,
      options.data.mammograms.pred_density ? "density" : nil,
      evaluation.multi_label ? "multi-label" : nil, file,
    ]
    return slug(parts.compactMap { $0 }.joined(separator: " "))
  }

  /// A dataset's name as that of a folder: `chexpert-5x200`.
  static func slug(_ name: String) -> String {
    name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
  }

  /// The predictions that `--compare` names: a file, the folder of an evaluation, or a run with one of the same question.
  static func predictions(
    of path: String, _ dataset: String, _ options: TrainOptions
  ) throws -> (path: String, file: PredictionFile) {
    let given = (path as NSString).expandingTildeInPath
    let run = FileSystem.exists("\(given)/resolved.yaml") ? given : nil
    let candidates =
      (FileSystem.isFolder(given) ? [] : [given])
      + (run.map { ["\($0)/eval/\(name(dataset, options))/\(predictions)"] } ?? []) + [
        "\(given)/\(predictions)"
      ]
    guard let found = candidates.first(where: { FileSystem.exists($0) }) else {
      throw TrainingError.missing(
        Problem(
          "--compare \(path)", found: "no \(predictions)",
          expected: "what 'cleft eval' wrote for \(dataset)", hint: "Evaluate the other model first."))
    }
    return (found, try PredictionFile(found))
  }

  /// The curves of a run's training, as figures; none where it has no numbers.
  static func curves(_ run: String) -> [String] {
    guard FileSystem.exists("\(run)/metrics.jsonl") else { return [] }
    let record = RunRecord(run)
    // How fast it went and what it took is no matter of its scores.
    let names = record.metrics.series.keys.filter {
      $0 == "train_loss"
        || $0.hasPrefix("val_") && ($0 == "val_loss" || $0.contains("acc") || $0.contains("auc"))
    }
    return RunPage(comparison: RunComparison([record]), axis: .step, metrics: names.sorted()).figures
  }
}
