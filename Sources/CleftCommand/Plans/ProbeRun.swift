import ArgumentParser
import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// Linear probes of one model, from options to a table and files.
struct ProbeRun {
  let probe: ProbeOptions
  let use: UseOptions
  let data: DataOptions

  /// What gives pictures their features.
  private struct Encoder {
    let width: Int
    let imageSizePixels: Int
    let encode: (Tensor) -> Tensor
  }

  /// Encodes, fits, scores, prints and writes.
  func callAsFunction() throws {
    let log = RunLog()
    // What would fail after the work fails before it.
    let files = try probe.out.map { try ProbeFiles($0) }
    var options = try use.evaluation(data)
    options.run.seed = probe.seed
    let encoder = try encoder(options, log)
    let plan = FeatureProbe.Plan(
      sizes: try probe.sizes, methods: try probe.methods, repeats: probe.repeats,
      question: try question(log), seed: probe.seed, bootstrapDraws: probe.bootstrap)
    announceUnheeded(log)
    var wishes = DataWishes(imageSizePixels: encoder.imageSizePixels)
    wishes.needsCaptions = false
    wishes.needsLabels = plan.question == .oneOf
    wishes.leavesOutUnclassed = plan.question == .oneOf
    wishes.takesSeveralLabels = plan.question == .each
    let source = try RunData(options, wishes, log)
    let splits = try open(source, plan, log)
    let pass = ImagePass(
      pictures: source.pictures, batchSize: use.batch_size, workerCount: options.workerCount)
    func encoded(_ dataset: ImageTextDataset) throws -> ProbeSplit {
      try ProbeSplit(
        dataset, pass, width: encoder.width,
        progress: { done, count in
          log.progress("encoded \(done)/\(count) of \(dataset.name)", isMilestone: done == count)
        }, encoder.encode)
    }
    var report = try FeatureProbe(plan).run(
      training: try encoded(splits.training), validation: try splits.validation.map(encoded),
      test: try encoded(splits.test)
    ) { done, count in log.progress("fitted \(done)/\(count) probes", isMilestone: done == count) }
    (report.model, report.feature) = (use.path ?? "", probe.feature.rawValue)
    for note in report.notes { log.warn(note) }
    report.notes = splits.notes + report.notes
    try files?.write(report)
    print(use.json ? jsonText(report, pretty: true) : ProbeText(report: report).text)
    if let files { log.say("probes: \(files.folder)") }
    source.summarize()
    log.summarizeWarnings()
  }

  // MARK: - The model

  /// The image tower alone, or with its projection; a text tower is read only for the latter.
  private func encoder(_ options: TrainOptions, _ log: RunLog) throws -> Encoder {
    if probe.feature == .embedding {
      let model = try ModelUse(use, data, log)
      let pair = try model.pair(for: "--feature embedding")
      return Encoder(
        width: pair.encoder.config.embeddingSize, imageSizePixels: model.vision.imageSizePixels,
        encode: { pair.encoder.image($0, .evaluation) })
    }
    options.configureRuntime()
    options.announceMachine(log)
    var model = options.model
    (model.pretrained_model, model.pretrained_encoder) = (nil, use.path)
    // A classifier on the tower, whose outputs nobody asks for.
    let classes = ClassifierSource.Classes(names: ["0", "1"], outputCount: nil, isMultiLabel: false)
    let loaded = try ClassifierSource(options: model, quirks: options.quirks, seed: probe.seed).trainable(
      classes)
    for note in loaded.notes { log.warn(note) }
    let vision = loaded.description.classifier.vision
    return Encoder(
      width: vision.hiddenSize, imageSizePixels: vision.imageSizePixels,
      encode: { loaded.model.image.feature($0, .evaluation) })
  }

  // MARK: - The data

  /// Each class by itself if that is said, or if the model is a classifier that learned so.
  private func question(_ log: RunLog) throws -> PredictionTable.Question {
    if probe.multi_label { return .each }
    guard let path = use.path, try ClassifierEvalRun.isMeant(path),
      let stored = try StoredModelCatalog.read(try Checkpoint.locate(path)) as? ClassifierDescription,
      stored.isMultiLabel
    else { return .oneOf }
    log.say("the classifier was trained with --multi_label_loss: probes ask each class by itself too.")
    return .each
  }

  private func open(_ source: RunData, _ plan: FeatureProbe.Plan, _ log: RunLog) throws -> ProbeSplits {
    let all = try source.openSplits(warnsIfUntested: false)
    try FeatureProbe(plan).requireSense(all.training, [])
    let splits = try ProbeSplits(all, plan.question)
    for note in splits.notes { log.warn(note) }
    let others = [splits.validation, splits.test].compactMap { $0 }
    try FeatureProbe(plan).requireSense(splits.training, others)
    for dataset in [splits.training] + others { try source.announce(dataset, in: nil) }
    if splits.validation == nil {
      log.say("strengths are chosen by \(ProbeSearch.foldCount) folds over the training patients.")
    }
    source.warnOfSharedPatients(splits.splits)
    return splits
  }

  private func announceUnheeded(_ log: RunLog) {
    let given: [(name: String, isGiven: Bool)] = [
      ("train_sub_set", data.train_sub_set), ("keep_size", data.keep_size),
      ("balance_training", data.balance_training), ("no_augmentation", data.pictures.no_augmentation),
      ("preview", data.pictures.preview > 0),
    ]
    let names = given.filter(\.isGiven).map { "--\($0.name)" }
    if names.isEmpty { return }
    log.warn("not heeded, since nothing is trained but probes: \(names.joined(separator: ", ")).")
  }
}

/// Where a probe's numbers go.
struct ProbeFiles {
  /// The folder of both files.
  let folder: String

  /// Makes the folder.
  ///
  /// - Throws: `FormatError.system` if the files cannot be written there.
  init(_ path: String) throws(FormatError) {
    folder = (path as NSString).expandingTildeInPath
    try FileSystem.makeFolder(folder)
    for name in ["probe.json", "probe.csv"] { try FileSystem.requireWritable("\(folder)/\(name)") }
  }

  /// Writes both files, each whole or not at all.
  func write(_ report: ProbeReport) throws(FormatError) {
    try FileSystem.write(Data((jsonText(report, pretty: true) + "\n").utf8), to: "\(folder)/probe.json")
    try FileSystem.write(Data(ProbeText(report: report).csv.utf8), to: "\(folder)/probe.csv")
  }
}
