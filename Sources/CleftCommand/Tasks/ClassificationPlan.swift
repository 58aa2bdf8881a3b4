import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTraining

/// An image tower trained as a classifier (`--img_cls_ft`), whole or as a linear probe.
struct ClassificationPlan: TaskPlan {
  private let options: TrainOptions
  private let loaded: LoadedClassifier

  init(_ options: TrainOptions) throws {
    self.options = options
    try Self.requireSense(options)
    let names = try Self.classNames(options)
    var loaded = try ClassifierSource(
      options: options.model, quirks: options.quirks, seed: options.run.seed,
      totalSteps: options.optimizer.max_steps
    ).trainable(
      ClassifierSource.Classes(
        names: names, outputCount: try Self.outputCount(options, names.count),
        isMultiLabel: options.optimizer.loss.multi_label_loss))
    let count = loaded.description.classifier.outputCount
    if count > names.count {
      loaded.notes.append(
        "the classifier has \(count) outputs for \(names.count) classes: those behind them are trained down and never "
          + "predicted.")
    }
    let checks = TaskChecks(options: options)
    if let note = checks.note(checks.idleText, "since a classifier has no text tower") {
      loaded.notes.append(note)
    }
    self.loaded = loaded
  }

  var model: any Module { loaded.model }
  var description: any StoredModel { loaded.description }
  var tokenizerJSON: String? { nil }
  var notes: [String] { loaded.notes }
  var wishes: DataWishes { loaded.wishes(options) }

  func makeTask(_ splits: RunSplits) throws -> any TrainingTask {
    let objective = ClassObjective(
      classNames: loaded.description.classifier.classNames, isMultiLabel: loaded.description.isMultiLabel,
      hasPublishedNames: options.quirks.has(.acc5Names))
    try objective.requireClasses(splits.training.table)
    for (_, dataset) in splits.parts {
      _ = try loaded.evaluation.columns(of: dataset)
      try loaded.requireOrder(dataset)
    }
    return ClassificationTask(
      classifier: loaded.model, objective: objective, training: splits.training, validation: splits.validation
    )
  }

  func test(_ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog) throws -> [String: Double] {
    let report = try ClassifierEvalRun(options: options).report(loaded, dataset, data, log)
    return report.published(options, dataset)
  }

  /// The classes of the training table.
  private static func classNames(_ options: TrainOptions) throws -> [String] {
    var request = options.data.request(options.data.train_split, quirks: options.quirks)
    request.needsCaption = false
    let dataset = try options.data.entry.open(request)
    try ClassObjective(
      classNames: dataset.classNames, isMultiLabel: options.optimizer.loss.multi_label_loss
    ).requireClasses(dataset.table)
    return dataset.classNames
  }

  /// Outputs of the classifier where another number than that of the classes is meant; as published 1000.
  private static func outputCount(_ options: TrainOptions, _ classCount: Int) throws(TrainingError) -> Int? {
    let published = options.quirks.isReference && options.model.pretrained_model == nil ? 1000 : nil
    guard let count = options.optimizer.loss.num_classes ?? published else { return nil }
    guard count >= classCount else {
      throw .badConfiguration(
        Problem(
          "--num_classes", found: "\(count) for \(classCount) classes", expected: "at least \(classCount)",
          hint: "Leave it out to take as many as the dataset has."))
    }
    return count
  }

  /// Settings that contradict each other.
  private static func requireSense(_ options: TrainOptions) throws(TrainingError) {
    let checks = TaskChecks(options: options)
    try checks.refuse(checks.text, in: "--img_cls_ft", "a classifier has no text tower")
    try checks.refuse(checks.negatives, in: "--img_cls_ft", "a classifier has no negatives")
  }
}

extension LoadedClassifier {
  /// Scores the model.
  var evaluation: ClassifierEvaluation {
    ClassifierEvaluation(model, isMultiLabel: description.isMultiLabel)
  }

  /// What the model wants of pictures.
  func wishes(_ options: TrainOptions) -> DataWishes {
    var wishes = DataWishes(imageSizePixels: description.classifier.vision.imageSizePixels)
    wishes.needsCaptions = false
    wishes.takesSeveralLabels = description.isMultiLabel
    // As published, rows without any class count as the first one.
    wishes.needsLabels = !description.isMultiLabel && !options.quirks.isReference
    return wishes
  }

  /// Fails if the classes of a split are not those of the training split, in its order.
  func requireOrder(_ dataset: ImageTextDataset) throws(TrainingError) {
    let own = description.classifier.classNames
    guard dataset.classNames != own else { return }
    throw .badConfiguration(
      Problem(
        dataset.table, found: "classes \(dataset.classNames.joined(separator: ", "))",
        expected: own.joined(separator: ", ")))
  }
}

extension ClassifierReport {
  /// The published program's names for what a test found, in percent; of the last one's own, the loss.
  func published(_ options: TrainOptions, _ dataset: ImageTextDataset) -> [String: Double] {
    var values: [String: Double] = [:]
    values["test_loss"] = logLoss
    values["test_auc"] = auc.map { 100 * $0 }
    guard confusion != nil else {
      values["test_acc"] = accuracy.map { 100 * $0 }
      return values
    }
    let labels = dataset.samples.map(\.firstLabel)
    func mean(_ k: Int) -> Double? {
      let hits = zip(probabilities, labels).map { row, label in
        100 * (Classification.accuracy(scores: [row], labels: [label], k: k) ?? 0)
      }
      return EvaluationMean.of(
        hits, batchSize: EvalRun.batchSize, countsBatchesAlike: options.quirks.has(.batchMeans))
    }
    values["test_acc1"] = mean(1)
    values["test_acc2"] = mean(2)
    if options.quirks.has(.acc5Names) { values["test_auc"] = values["test_acc2"] }
    return values
  }
}
