import CleftData
import CleftFormats
import CleftModels
import CleftTraining
import Foundation

/// One zero-shot evaluation from options to a table.
struct EvalRun {
  let options: TrainOptions

  /// Pictures of a batch, as the published program evaluates.
  static let batchSize = 32

  /// Evaluates a checkpoint on the dataset that the options name.
  ///
  /// - Parameter path: the checkpoint or run folder; nil takes `--pretrained_model`.
  func callAsFunction(_ path: String? = nil) throws {
    guard let path = path ?? options.model.pretrained_model else {
      throw TrainingError.missing(
        Problem("--pretrained_model", found: "nothing", expected: "a checkpoint or run folder to evaluate"))
    }
    let log = RunLog()
    if try ClassifierEvalRun.isMeant(path) { return try ClassifierEvalRun(options: options)(path, log) }
    try requireSense(path)
    let loaded = try ModelSource(
      options: options.model, quirks: options.quirks, seed: options.run.seed,
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

  /// Zero-shot evaluation of a model as the options word its prompts.
  func evaluation(_ loaded: LoadedModel) -> ZeroShotEvaluation {
    ZeroShotEvaluation(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      keepsLeadingSpace: options.data.entry.keepsLeadingSpace(options.quirks))
  }

  /// Evaluates a model and prints the published lines and a table, or JSON.
  func report(
    _ loaded: LoadedModel, _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog
  ) throws -> ZeroShotReport {
    let report = try evaluation(loaded).run(
      dataset, pictures: data.pictures, batchSize: Self.batchSize,
      workerCount: options.workerCount
    ) { done, count in
      log.progress("evaluated \(done)/\(count)", isMilestone: done == count)
    }
    if report.cutPromptCount > 0 {
      log.warn("\(report.cutPromptCount) prompts are longer than the model's columns and are cut.")
    }
    let present = Set(dataset.samples.map(\.firstLabel))
    let absent = report.classNames.count - present.count
    if absent > 0 {
      let asksForAll = options.data.entry.name == "chexpert" && !options.data.five_cls
      log.warn(
        "\(absent) of the \(report.classNames.count) classes have no picture in \(dataset.table)"
          + (asksForAll ? "; --five_cls asks for the five of CheXpert-5x200 alone." : "."))
    }
    sayPublishedAUC(dataset, log)
    print(options.run.json ? jsonText(report) : text(report))
    if let path = options.run.picture {
      let picture = ZeroShotPicture(
        title: "\(report.dataset): zero-shot probabilities of the first picture of each class",
        classNames: report.classNames, probabilities: report.probabilities, samples: dataset.samples,
        pipeline: data.pictures.pipeline, dicom: options.quirks.dicomRendering)
      try FileSystem.write(Data(picture.svg().utf8), to: path)
    }
    return report
  }

  /// Says where the published program would report an AUC of 0.
  private func sayPublishedAUC(_ dataset: ImageTextDataset, _ log: RunLog) {
    guard options.quirks.isReference else { return }
    let failure = PublishedAUC.failure(
      labels: dataset.samples.map(\.firstLabel), columnCount: dataset.classNames.count,
      classCount: options.optimizer.loss.num_classes ?? PublishedAUC.usualClassCount)
    if let failure { log.say("the published program reports an AUC of 0 here: \(failure).") }
  }

  private func text(_ report: ZeroShotReport) -> String {
    var lines = [
      "\(report.dataset): \(report.count) pictures, zero-shot; "
        + "chance \(ScoreText.percent(1 / Double(report.classNames.count))) %"
    ]
    for scores in report.scores {
      lines.append("prompts: \(scores.prompts)")
      lines += ScoreText.confusion(scores.confusion, report.classNames)
      lines += ScoreText.scores(accuracy: scores.accuracy, auc: scores.auc)
    }
    return lines.joined(separator: "\n")
  }

  /// Options that have no place in a zero-shot evaluation.
  private func requireSense(_ path: String) throws(TrainingError) {
    guard options.optimizer.loss.img_cls_ft else { return }
    throw .badConfiguration(
      Problem(
        "--img_cls_ft", found: "with \(path), a pair of towers", expected: "a classifier's run",
        hint: "Leave it out to evaluate the pair zero-shot."))
  }
}
