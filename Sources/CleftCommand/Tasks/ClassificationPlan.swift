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

  func test(
    _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog, in folder: String?
  ) throws -> [String: Double] {
    let subject = try ClassifierEvalRun(options: options).subject(loaded, path: nil, run: folder)
    let run = EvaluationRun(
      options: options, data: data, log: log, scorer: loaded.evaluation, subject: subject, maps: nil)
    return try run(dataset, in: options.run.evaluation.no_report ? nil : folder).published(options, log)
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
