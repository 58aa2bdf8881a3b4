import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftTraining
import Foundation

/// The evaluation of an image classifier, from options to a table.
struct ClassifierEvalRun {
  let options: TrainOptions

  /// Whether a path is a run or checkpoint folder of a classifier.
  static func isMeant(_ path: String) throws -> Bool {
    if FileSystem.exists(path), !FileSystem.isFolder(path) { return false }
    return try StoredModelCatalog.read(try Checkpoint.locate(path)) is ClassifierDescription
  }

  /// Evaluates a classifier on the dataset that the options name.
  func callAsFunction(_ path: String, _ log: RunLog) throws {
    try requireSense(path)
    let loaded = try ClassifierSource(
      options: options.model, quirks: options.quirks, seed: options.run.seed
    ).checkpoint(path)
    var classifying = options
    classifying.optimizer.loss.img_cls_ft = true
    classifying.announce(log, [], isPromptTuning: false)
    let checks = TaskChecks(options: options)
    if let note = checks.note(checks.idleText, "since a classifier has no text tower") { log.warn(note) }
    for note in loaded.notes { log.warn(note) }
    let data = try RunData(options, loaded.wishes(options), log)
    let dataset = try data.open(.test, for: .scoring)
    let own = loaded.description.classifier.classNames
    _ = try loaded.evaluation.columns(of: dataset)
    if dataset.classNames.count < own.count {
      log.say("scored among \(dataset.classNames.count) of the classifier's \(own.count) classes.")
    }
    try data.announce(dataset, in: nil)
    _ = try report(loaded, dataset, data, log)
    data.summarize()
    log.summarizeWarnings()
  }

  /// Evaluates a classifier and prints the published lines, or JSON.
  func report(
    _ loaded: LoadedClassifier, _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog
  ) throws -> ClassifierReport {
    let report = try loaded.evaluation.run(
      dataset, pictures: data.pictures, batchSize: EvalRun.batchSize, workerCount: options.workerCount
    ) { done, count in
      log.progress("evaluated \(done)/\(count)", isMilestone: done == count)
    }
    print(options.run.json ? jsonText(report) : text(report))
    if let path = options.run.picture {
      let picture = ZeroShotPicture(
        title: "\(report.dataset): the classifier's probabilities of the first picture of each class",
        classNames: report.classNames, probabilities: report.probabilities, samples: dataset.samples,
        pipeline: data.pictures.pipeline, dicom: options.quirks.dicomRendering)
      try FileSystem.write(Data(picture.svg().utf8), to: path)
    }
    return report
  }

  private func text(_ report: ClassifierReport) -> String {
    var lines = ["\(report.dataset): \(report.count) pictures, classified"]
    if let confusion = report.confusion {
      lines += ScoreText.confusion(confusion, report.classNames)
    } else if let counts = report.counts {
      lines.append("### Confusion Matrix: (row = class, column = found, missed, taken for it, rightly not)")
      let rows = counts.map {
        [$0.truePositive, $0.falseNegative, $0.falsePositive, $0.trueNegative]
      }
      lines += zip(ScoreText.matrix(rows), report.classNames).map { "\($0) \($1)" }
    }
    lines += ScoreText.scores(accuracy: report.accuracy, auc: report.auc)
    if let top2 = report.top2Accuracy { lines.append("top-2 accuracy: \(ScoreText.percent(top2))") }
    if let loss = report.logLoss { lines.append("log-loss: \(String(format: "%.4f", loss)) nats") }
    return lines.joined(separator: "\n")
  }

  /// Options that have no place in the evaluation of a classifier.
  private func requireSense(_ path: String) throws(TrainingError) {
    let checks = TaskChecks(options: options)
    try checks.refuse(checks.text, in: "\(path), a classifier", "it has no text tower")
    try checks.refuse(checks.negatives, in: "\(path), a classifier", "it has no negatives")
  }
}
