import CleftData
import CleftFormats
import CleftModels
import CleftTraining
import Foundation

/// One zero-shot evaluation from options to a table.
struct EvalRun {
  let options: TrainOptions

  /// Evaluates a checkpoint on the dataset that the options name.
  ///
  /// - Parameter path: the checkpoint or run folder; nil takes `--pretrained_model`.
  func callAsFunction(_ path: String? = nil) throws {
    guard let path = path ?? options.model.pretrained_model else {
      throw TrainingError.missing(
        Problem("--pretrained_model", found: "nothing", expected: "a checkpoint or run folder to evaluate"))
    }
    let log = try RunLog(folder: nil)
    options.announce(log)
    try report(try ModelSource.checkpoint(path), log)
    log.summarizeWarnings()
  }

  /// Evaluates a model and prints the published lines and a table, or JSON.
  func report(_ loaded: LoadedModel, _ log: RunLog) throws {
    let name = options.data.rsna ? "rsna" : "chexpert"
    guard let entry = DatasetCatalog.named(name) else { preconditionFailure("dataset \(name)") }
    let dataset = try entry.open(
      DatasetRequest(
        dataFolder: options.data.folder, split: .test, usesFiveClasses: options.data.five_cls,
        isPromptTuning: loaded.description.prompt != nil))
    let report = try ZeroShotEvaluation(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer
    ).run(dataset, batchSize: 32, workerCount: options.workerCount) { done, count in
      log.progress("evaluated \(done)/\(count)", isMilestone: done == count)
    }
    if let path = options.run.picture {
      try FileSystem.write(
        Data(
          ZeroShotPicture(
            report: report, samples: dataset.samples,
            sizePixels: loaded.description.encoder.vision.imageSizePixels
          )
          .svg().utf8), to: path)
    }
    print(options.run.json ? jsonText(report) : text(report))
  }

  private func text(_ report: ZeroShotReport) -> String {
    var lines = [
      "\(report.dataset): \(report.count) pictures, zero-shot; chance \(percent(1 / Double(report.classNames.count))) %"
    ]
    for scores in report.scores {
      lines.append("prompts: \(scores.prompts)")
      lines.append(
        "### Confusion Matrix: (row = true, column = predicted: \(report.classNames.joined(separator: ", ")))"
      )
      let width = (scores.confusion.flatMap { $0 }.max().map { String($0).count } ?? 1) + 1
      lines += scores.confusion.map { row in
        "[" + row.map { String(repeating: " ", count: width - String($0).count) + "\($0)" }.joined() + " ]"
      }
      lines.append("### Accuracy: \(percent(scores.accuracy))")
      lines.append("### AUC: \(percent(scores.auc))")
    }
    return lines.joined(separator: "\n")
  }

  private func percent(_ value: Double?) -> String {
    value.map { String(format: "%.4f", 100 * $0) } ?? "undefined (one class only)"
  }
}
