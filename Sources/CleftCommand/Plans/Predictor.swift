import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// What gives pictures probabilities: prompts of a pair of towers, encoded once, or a classifier.
struct Predictor {
  let use: ModelUse
  /// Names of the classes, in the order of the scores.
  let classNames: [String]
  /// What is asked of each picture.
  let question: PredictionTable.Question
  /// Texts of the classes; nil for a classifier.
  let prompts: PromptSet?
  /// Unit vectors of the prompts; nil for a classifier.
  let texts: ClassTexts?

  /// Finds the classes and encodes their prompts.
  ///
  /// - Throws: `TrainingError.badConfiguration` for prompts of a classifier, or two that the model reads alike.
  init(_ use: ModelUse, _ asked: PredictOptions, _ log: RunLog) throws {
    guard case .pair(let pair) = use.model else {
      try self.init(classifier: use, asked)
      return
    }
    let (names, set) = try Self.classes(use, asked, pair, log)
    let encoder = use.promptEncoder(pair)
    do {
      try encoder.requireDistinct(set)
    } catch {
      var problem = error.problem
      if asked.promptFile == nil, asked.prompts != nil { problem.hint = "Begin them with other words." }
      throw TrainingError.badConfiguration(problem)
    }
    self.init(
      use: use, classNames: names, question: set.negatives == nil ? .oneOf : .each, prompts: set,
      texts: encoder.classTexts(set))
    if !encoder.cut.isEmpty {
      log.warn("\(encoder.cut.count) prompts are longer than the model's columns and are cut.")
    }
  }

  private init(
    use: ModelUse, classNames: [String], question: PredictionTable.Question, prompts: PromptSet?,
    texts: ClassTexts?
  ) {
    (self.use, self.classNames, self.question) = (use, classNames, question)
    (self.prompts, self.texts) = (prompts, texts)
  }

  private init(classifier use: ModelUse, _ asked: PredictOptions) throws {
    guard case .classifier(let loaded) = use.model else {
      preconditionFailure("predictor: a pair taken for a classifier")
    }
    for (name, isGiven) in [("--prompts", asked.prompts != nil), ("--multi_label", asked.multi_label)]
    where isGiven {
      _ = try use.pair(for: name)
    }
    self.init(
      use: use, classNames: loaded.description.classifier.classNames,
      question: loaded.description.isMultiLabel ? .each : .oneOf, prompts: nil, texts: nil)
  }

  /// The texts that are typed, or those of a dataset.
  private static func classes(
    _ use: ModelUse, _ asked: PredictOptions, _ pair: LoadedModel, _ log: RunLog
  ) throws -> ([String], PromptSet) {
    if let typed = asked.prompts, asked.promptFile == nil {
      let prompts = try TypedPrompts(typed, asksEach: asked.multi_label)
      return (prompts.classNames, prompts.set(use.read))
    }
    let dataset = try dataset(use, asked, isPromptTuning: pair.description.prompt != nil)
    guard let set = dataset.promptSets.first else {
      throw TrainingError.badConfiguration(
        Problem(
          dataset.table, found: "no classes", expected: "classes to ask for",
          hint: "Write texts: --prompts \"no finding; pneumonia\"."))
    }
    for note in dataset.notes { log.warn("\(dataset.name): \(note)") }
    let others = dataset.promptSets.dropFirst().map { "'\($0.name)'" }.joined(separator: ", ")
    log.say("prompts: '\(set.name)' of \(dataset.name)\(others.isEmpty ? "" : "; not asked: \(others)").")
    return (dataset.classNames, set)
  }

  /// The dataset whose classes and prompts are meant: any of its splits says them.
  private static func dataset(
    _ use: ModelUse, _ asked: PredictOptions, isPromptTuning: Bool
  ) throws -> ImageTextDataset {
    let data = use.options.data
    let requests = [Split.test, .valid, .train].map { split in
      var request = data.request(split, isPromptTuning: isPromptTuning, quirks: use.options.quirks)
      (request.promptFile, request.asksEachClass) = (asked.promptFile, asked.multi_label)
      (request.needsCaption, request.needsClass, request.badRows) = (false, false, .skip)
      return request
    }
    // A file of prompts that is not there is no fault of the dataset.
    if let file = asked.promptFile { _ = try FileSystem.read(file) }
    let there = requests.first { request in
      let tables = data.entry.tables(request)
      return !tables.isEmpty && tables.allSatisfy(FileSystem.exists)
    }
    guard let there else {
      let table = requests.lazy.compactMap { data.entry.tables($0).first }.first
      throw TrainingError.missing(
        Problem(
          table ?? "--dataset \(data.entry.name)", found: table == nil ? "no table" : "no such file",
          expected: "a table of \(data.entry.name), whose classes and prompts are meant",
          hint: "Write texts instead, --prompts \"no finding; pneumonia\", or pass --data_dir."))
    }
    return try data.entry.open(there)
  }

  /// Arguments of the softmax or the sigmoids of pictures `[B, 3, S, S]`, a row a picture.
  func logits(_ images: Tensor) -> [[Float]] {
    switch use.model {
    case .pair(let pair):
      let scale = exp(pair.encoder.logitScale.item)
      return texts?.logits(use.vectors(of: images, .embedding), scale: scale) ?? []
    case .classifier(let loaded):
      let values = withoutGradients { loaded.model(images, .evaluation).array }
      let width = loaded.model.config.outputCount
      // Outputs behind the classes stand for nothing.
      return (0..<images.shape[0]).map { Array(values[$0 * width..<$0 * width + classNames.count]) }
    }
  }

  /// Probabilities of rows of logits, a row a picture.
  func probabilities(_ rows: [[Float]]) -> [[Double]] {
    let table = PredictionTable(
      classNames: classNames, question: question, logits: rows.flatMap { $0.map(Double.init) },
      labels: [[Int]](repeating: [], count: rows.count))
    let values = table.probabilities()
    return rows.indices.map { Array(values[$0 * classNames.count..<($0 + 1) * classNames.count]) }
  }
}
