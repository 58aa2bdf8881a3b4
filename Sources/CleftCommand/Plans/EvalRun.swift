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
    let log = RunLog()
    let loaded = try ModelSource(
      options: options.model, isReference: options.isReference, seed: options.run.seed,
      captionLength: options.data.captionLength
    ).checkpoint(path)
    options.announce(
      log, loaded.departures(isTraining: false, options), isPromptTuning: loaded.description.prompt != nil)
    for note in loaded.notes { log.warn(note) }
    let wishes = DataWishes(
      imageSizePixels: loaded.description.encoder.vision.imageSizePixels,
      isPromptTuning: loaded.description.prompt != nil)
    let data = try RunData(options, wishes, log)
    let dataset = try data.open(.test, for: .scoring)
    guard !dataset.promptSets.isEmpty else {
      throw TrainingError.badConfiguration(
        Problem(
          dataset.table, found: "no classes", expected: "classes to score",
          hint: "Name them with --label_columns or --class_column."))
    }
    try data.announce(dataset, in: nil)
    _ = try report(loaded, dataset, data, log)
    data.summarize()
    log.summarizeWarnings()
  }

  /// Evaluates a model and prints the published lines and a table, or JSON.
  func report(
    _ loaded: LoadedModel, _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog
  ) throws -> ZeroShotReport {
    let keepsLeadingSpace = options.data.entry.keepsLeadingSpace(options.isReference)
    let report = try ZeroShotEvaluation(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      keepsLeadingSpace: keepsLeadingSpace
    ).run(
      dataset, pictures: data.pictures, batchSize: 32,
      workerCount: options.workerCount
    ) { done, count in
      log.progress("evaluated \(done)/\(count)", isMilestone: done == count)
    }
    if report.cutPromptCount > 0 {
      log.warn("\(report.cutPromptCount) prompts are longer than the model's columns and are cut.")
    }
    print(options.run.json ? jsonText(report) : text(report))
    if let path = options.run.picture {
      let picture = ZeroShotPicture(
        report: report, samples: dataset.samples,
        sizePixels: loaded.description.encoder.vision.imageSizePixels,
        dicom: options.run.compat.dicomRendering)
      try FileSystem.write(Data(picture.svg().utf8), to: path)
    }
    return report
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
