import CleftData
import CleftFormats
import CleftMetrics
import CleftTensor
import CleftTraining
import Foundation

/// An evaluation from scored pictures to a table, and to the files of its folder.
///
/// What scores the pictures, prompts or a classifier, is the same to it.
struct EvaluationRun {
  let options: TrainOptions
  let data: RunData
  let log: RunLog
  let scorer: any PictureScorer
  let subject: EvaluationSubject
  /// What draws where a model looks; nil where nothing can.
  let maps: MapMaker?

  /// What was found, and the scores it rests on.
  struct Outcome {
    var report: EvaluationReport
    let scored: ScoredPictures
    let dataset: ImageTextDataset
  }

  private var settings: EvaluationOptions { options.run.evaluation }
  private var key: RandomKey { RandomKey(seed: options.run.seed).split("evaluation") }

  /// Draws for intervals; nil where none are wanted.
  private var bootstrap: Bootstrap? {
    settings.bootstrap == 0
      ? nil : Bootstrap(draws: settings.bootstrap, key: key.split("bootstrap"))
  }

  /// Scores a test set, prints the published lines and a table, or JSON, and writes the folder.
  ///
  /// - Parameter folder: where files go; nil for none.
  func callAsFunction(_ dataset: ImageTextDataset, in folder: String?) throws -> Outcome {
    let other = try settings.compare.map { try EvaluationFolder.predictions(of: $0, dataset.name, options) }
    try scorer.requireSense(dataset)
    let pairs = try other.map {
      try PredictionPairs(dataset, scorer.question, with: $0.file, path: $0.path)
    }
    try prepare(folder)
    var dataset = dataset
    dataset.fillTraits(workerCount: options.workerCount)
    let scored = try scorer.score(dataset, pass) { done, count in
      log.progress("evaluated \(done)/\(count)", isMilestone: done == count)
    }
    let validation = try validationScores(dataset)
    var report = EvaluationReport(dataset, scored, validation: validation, bootstrap: bootstrap)
    report.retrieval = retrieval(dataset, scored)
    report.comparison = pairs.map { ComparisonReport(scored, $0, bootstrap) }
    report.provenance = try EvaluationProvenance(options: options, subject: subject).facts(dataset)
    warn(&report, dataset, scored)
    let outcome = Outcome(report: report, scored: scored, dataset: dataset)
    printScores(report)
    if let folder { try write(outcome, to: folder) }
    if let path = options.run.picture { try writePicture(outcome, to: path) }
    return outcome
  }

  /// Finds out whether files can be written before there is anything to write.
  private func prepare(_ folder: String?) throws {
    if let path = options.run.picture { try FileSystem.requireWritable(path) }
    guard let folder else { return }
    try FileSystem.makeFolder(folder)
    try FileSystem.requireWritable("\(folder)/\(EvaluationFolder.page)")
    if FileSystem.exists("\(folder)/\(EvaluationFolder.metrics)") {
      log.say("the evaluation in \(folder) is replaced.")
    }
  }

  private var pass: ImagePass {
    ImagePass(pictures: data.pictures, batchSize: EvalRun.batchSize, workerCount: options.workerCount)
  }

  /// Scores of validation pictures, or why there are none.
  private func validationScores(
    _ test: ImageTextDataset
  ) throws -> Result<ValidationScores, EvaluationReport.NoValidation> {
    switch try data.openForThresholds(test, scorer.question, limit: settings.threshold_pictures, key) {
    case .failure(let reason):
      log.say("no thresholds and no temperature: \(reason.text).")
      return .failure(reason)
    case .success(let chosen):
      let scored = try scorer.score(chosen.dataset, pass) { done, count in
        log.progress("validation pictures \(done)/\(count)", isMilestone: false)
      }
      return .success(ValidationScores(tables: scored.parts.map(\.table), text: chosen.text))
    }
  }

  /// Captions and pictures of the test set found by each other; nil without captions.
  private func retrieval(_ dataset: ImageTextDataset, _ scored: ScoredPictures) -> RetrievalReport? {
    guard let zeroShot = scorer as? ZeroShotEvaluation, settings.retrieval_pairs > 0 else { return nil }
    let all = dataset.samples.indices.filter { dataset.samples[$0].caption != nil }
    guard min(all.count, settings.retrieval_pairs) > 1 else { return nil }
    var draw = key.split("retrieval").generator
    let chosen = all.shuffled(using: &draw).prefix(settings.retrieval_pairs).sorted()
    return RetrievalReport(dataset, pictures: scored.embeddings, chosen: chosen, bootstrap: bootstrap) {
      zeroShot.captionVectors($0)
    }
  }

  /// What a reader of the numbers should know.
  private func warn(_ report: inout EvaluationReport, _ dataset: ImageTextDataset, _ scored: ScoredPictures) {
    if scored.cutPromptCount > 0 {
      report.notes.append("\(scored.cutPromptCount) prompts are longer than the model's columns and are cut")
    }
    if report.question == .oneOf {
      let absent = report.classNames.count - Set(dataset.samples.map(\.firstLabel)).count
      if absent > 0 {
        let asksForAll = options.data.entry.name == "chexpert" && !options.data.five_cls
        report.notes.append(
          "\(absent) of the \(report.classNames.count) classes have no picture in \(dataset.table)"
            + (asksForAll ? "; --five_cls asks for the five of CheXpert-5x200 alone" : ""))
      }
    }
    if let comparison = report.comparison, comparison.count < report.count {
      report.notes.append(
        "compared on \(comparison.count) of the \(report.count) pictures: the others are not in \(comparison.other)"
      )
    }
    for note in report.notes where !dataset.notes.contains(note) { log.warn("\(note).") }
    guard options.quirks.isReference, subject.isZeroShot else { return }
    let failure = PublishedAUC.failure(
      labels: dataset.samples.map(\.firstLabel), columnCount: dataset.classNames.count,
      classCount: options.optimizer.loss.num_classes ?? PublishedAUC.usualClassCount)
    if let failure { log.say("the published program reports an AUC of 0 here: \(failure).") }
  }

  /// Prints what was found; where it comes from stands in the files.
  private func printScores(_ report: EvaluationReport) {
    guard options.run.json else { return print(EvaluationText(report, subject.title).text) }
    var scores = report
    scores.provenance = []
    print(jsonText(scores, pretty: true))
  }

  private func writePicture(_ outcome: Outcome, to path: String) throws {
    let table = outcome.scored.parts[0].table
    let probabilities = table.probabilities().map { Float($0) }
    let picture = ZeroShotPicture(
      title: "\(outcome.report.dataset): \(subject.title) probabilities of the first picture of each class",
      classNames: table.classNames,
      probabilities: (0..<table.count).map {
        Array(probabilities[$0 * table.classCount..<($0 + 1) * table.classCount])
      }, samples: outcome.dataset.samples, pipeline: data.pictures.pipeline,
      dicom: options.quirks.dicomRendering)
    try FileSystem.write(Data(picture.svg().utf8), to: path)
  }

  /// Writes `predictions.csv`, `metrics.json`, `page.json` and `report.html`, the page last.
  ///
  /// An older page goes first: it never stands beside other numbers.
  private func write(_ outcome: Outcome, to folder: String) throws {
    let figures = PageFigures(
      examples: try EvaluationExamples(run: self, outcome: outcome).pages(count: settings.examples),
      curves: subject.runFolder.map(EvaluationFolder.curves) ?? [], date: Date().formatted(.iso8601))
    let page = EvaluationPage(report: outcome.report, figures: figures)
    let files = [
      (EvaluationFolder.predictions, PredictionFile.text(outcome.dataset, outcome.scored)),
      (EvaluationFolder.metrics, jsonText(outcome.report, pretty: true) + "\n"),
      (PageFigures.fileName, jsonText(figures) + "\n"), (EvaluationFolder.page, page.html()),
    ]
    for name in [EvaluationFolder.page, PageFigures.fileName] { FileSystem.remove("\(folder)/\(name)") }
    for (name, text) in files { try FileSystem.write(Data(text.utf8), to: "\(folder)/\(name)") }
    log.say("report: \(folder)/\(EvaluationFolder.page)")
  }
}
