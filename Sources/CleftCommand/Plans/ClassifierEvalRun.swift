import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftTraining
import Foundation

/// The evaluation of an image classifier, from options to a table and a report.
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
    let subject = try subject(loaded, path: path)
    let run = EvaluationRun(
      options: options, data: data, log: log, scorer: loaded.evaluation, subject: subject, maps: nil)
    _ = try run(dataset, in: EvaluationFolder.path(subject, dataset, options))
    data.summarize()
    log.summarizeWarnings()
  }

  /// A classifier as the subject of an evaluation.
  ///
  /// - Parameter path: nil for the weights of a training that has just ended in the run folder `run`.
  func subject(_ loaded: LoadedClassifier, path: String?, run: String? = nil) throws -> EvaluationSubject {
    let config = loaded.description.classifier
    var facts: [(name: String, value: String)] = []
    if let path = path ?? run { facts.append(("path", path)) }
    if let path { facts.append(("weights", try EvalRun.fingerprint(path))) }
    facts.append(("image tower", type(of: config.vision).kind))
    facts.append(("image side", "\(config.vision.imageSizePixels) pixels"))
    facts.append(("image pooling", config.pooling.rawValue))
    facts.append(("classes", config.classNames.joined(separator: ", ")))
    if let adapter = loaded.description.imageAdapter { facts.append(("image adapter", adapter.method)) }
    return EvaluationSubject(
      title: "classified", isZeroShot: false, path: path,
      runFolder: run ?? path.flatMap(EvaluationSubject.runFolder), step: 0, facts: facts)
  }

  /// Options that have no place in the evaluation of a classifier.
  private func requireSense(_ path: String) throws(TrainingError) {
    let checks = TaskChecks(options: options)
    try checks.refuse(checks.text, in: "\(path), a classifier", "it has no text tower")
    try checks.refuse(checks.negatives, in: "\(path), a classifier", "it has no negatives")
    let evaluation = options.run.evaluation
    try checks.refuse(
      [("--prompts", evaluation.prompts != nil), ("--multi_label", evaluation.multi_label)],
      in: "\(path), a classifier", "it asks what it was trained for")
  }
}
