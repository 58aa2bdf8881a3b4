import CleftAdapters
import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftTraining
import Foundation

/// One evaluation from options to a table and a report.
struct EvalRun {
  let options: TrainOptions

  /// Pictures of a batch, as the published program evaluates.
  static let batchSize = 32

  /// Evaluates a checkpoint on the dataset that the options name.
  ///
  /// - Parameter path: the checkpoint or run folder; nil takes `--pretrained_model`.
  func callAsFunction(_ path: String? = nil) throws {
    let given = path ?? options.model.pretrained_model
    guard let path = given.map({ ($0 as NSString).expandingTildeInPath }) else {
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
    let subject = try subject(loaded, path: path)
    let scorer = evaluation(loaded)
    let run = EvaluationRun(
      options: options, data: data, log: log, scorer: scorer, subject: subject,
      maps: MapMaker(loaded, scorer.prompts))
    _ = try run(dataset, in: EvaluationFolder.path(subject, dataset, options))
    data.summarize()
    log.summarizeWarnings()
  }

  /// Zero-shot evaluation of a model as the options word its prompts.
  func evaluation(_ loaded: LoadedModel) -> ZeroShotEvaluation {
    ZeroShotEvaluation(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      keepsLeadingSpace: options.data.entry.keepsLeadingSpace(options.quirks),
      question: options.run.evaluation.multi_label ? .each : .oneOf)
  }

  /// A pair of towers as the subject of an evaluation.
  ///
  /// - Parameter path: nil for the weights of a training that has just ended in the run folder `run`.
  func subject(_ loaded: LoadedModel, path: String?, run: String? = nil) throws -> EvaluationSubject {
    let description = loaded.description
    var facts: [(name: String, value: String)] = []
    if let path = path ?? run { facts.append(("path", path)) }
    facts.append(("optimizer steps", "\(loaded.step)"))
    if let path { facts.append(("weights", try Self.fingerprint(path))) }
    facts.append(("image tower", type(of: description.encoder.vision).kind))
    facts.append(("image side", "\(description.encoder.vision.imageSizePixels) pixels"))
    facts.append(("image pooling", description.encoder.pooling.rawValue))
    let text = ModelCatalog.textTowers.values.first {
      type(of: $0.config) == type(of: description.encoder.text)
    }
    facts.append(("text tower", text?.llmType ?? "gpt"))
    facts.append(("caption columns", "\(description.encoder.captionLength)"))
    facts.append(("pooled token", description.encoder.pooledToken.rawValue))
    if let adapter = description.adapter { facts.append(("adapter", adapter.method)) }
    if let adapter = description.imageAdapter { facts.append(("image adapter", adapter.method)) }
    if let prompt = description.prompt { facts.append(("prompt vectors", "\(prompt.virtualTokenCount)")) }
    return EvaluationSubject(
      title: "zero-shot", isZeroShot: true, path: path,
      runFolder: run ?? path.flatMap(EvaluationSubject.runFolder), step: loaded.step, facts: facts)
  }

  /// The fingerprint of a checkpoint's weights, as its state says, or of a file.
  static func fingerprint(_ path: String) throws -> String {
    if FileSystem.exists(path), !FileSystem.isFolder(path) { return try Checksum.ofFile(path) }
    let state = try Checkpoint.readState(try Checkpoint.locate(path))
    return state.checksums["model.safetensors"] ?? "unknown"
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
