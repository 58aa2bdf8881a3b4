import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor

/// What the evaluation of a classifier found.
public struct ClassifierReport: Codable, Sendable {
  /// Name of the dataset.
  public var dataset: String
  /// Pictures scored.
  public var count: Int
  /// Classes in order.
  public var classNames: [String]
  /// Share of pictures whose class wins, 0 … 1; with several labels a picture: share of pictures and classes rightly told.
  public var accuracy: Double?
  /// Share of pictures whose class is among the two that win; nil with several labels a picture.
  public var top2Accuracy: Double?
  /// Mean over classes of each one's AUC against the rest, 0 … 1; of two classes, that of the second one; nil if undefined.
  public var auc: Double?
  /// AUC of each class, nil where all pictures have it, or none.
  public var classAUC: [Double?]
  /// Mean of -log of the probability given to what is there, in nats.
  public var logLoss: Double?
  /// Row = true class, column = predicted class; nil with several labels a picture.
  public var confusion: [[Int]]?
  /// What became of the pictures under each class; nil with one label a picture.
  public var counts: [MultiLabel.Counts]?
  /// Rows that could not be used and are not among the pictures.
  public var skipped: [BadRow]
  /// Probability of each class for each picture, in sample order; not part of the JSON.
  public var probabilities: [[Float]] = []

  private enum CodingKeys: String, CodingKey {
    case dataset, count, classNames, accuracy, top2Accuracy, auc, classAUC, logLoss, confusion, counts,
      skipped
  }

  /// Scores of pictures, a row each, under an objective whose classes are the dataset's.
  init(_ dataset: ImageTextDataset, _ rows: [[Float]], _ objective: ClassObjective) {
    let classCount = objective.classNames.count
    self.dataset = dataset.name
    count = dataset.samples.count
    classNames = objective.classNames
    skipped = dataset.badRows
    probabilities = objective.probabilities(rows)
    if objective.isMultiLabel {
      let labels = dataset.samples.map(\.labels)
      let counts = MultiLabel.counts(logits: rows, labels: labels, classCount: classCount)
      self.counts = counts
      accuracy = MultiLabel.accuracy(counts)
      classAUC = MultiLabel.aucs(logits: rows, labels: labels, classCount: classCount)
      logLoss = MultiLabel.logLoss(logits: rows, labels: labels, classCount: classCount)
      let defined = classAUC.compactMap { $0 }
      auc = defined.isEmpty ? nil : defined.reduce(0, +) / Double(defined.count)
      return
    }
    let labels = dataset.samples.map(\.firstLabel)
    confusion = Classification.confusion(scores: rows, labels: labels, classCount: classCount)
    accuracy = Classification.accuracy(scores: rows, labels: labels)
    top2Accuracy = Classification.accuracy(scores: rows, labels: labels, k: 2)
    logLoss = Classification.logLoss(logits: rows, labels: labels)
    let probabilities = probabilities
    classAUC = (0..<classCount).map { index in
      Classification.auc(scores: probabilities.map { $0[index] }, isPositive: labels.map { $0 == index })
    }
    auc =
      classCount == 2
      ? classAUC[1]
      : Classification.macroAUC(scores: probabilities, labels: labels, classCount: classCount)
  }
}

/// Scores a classifier on a dataset.
public struct ClassifierEvaluation {
  private let classifier: ImageClassifier
  private let isMultiLabel: Bool

  /// Makes an evaluation of a model.
  public init(_ classifier: ImageClassifier, isMultiLabel: Bool) {
    self.classifier = classifier
    self.isMultiLabel = isMultiLabel
  }

  /// Scores every picture under the dataset's classes, which must be among the classifier's.
  ///
  /// - Throws: `TrainingError.badConfiguration` naming the first class that the classifier does not know.
  public func run(
    _ dataset: ImageTextDataset, pictures: PictureStore, batchSize: Int, workerCount: Int,
    progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ClassifierReport {
    let objective = ClassObjective(classNames: dataset.classNames, isMultiLabel: isMultiLabel)
    let columns = try columns(of: dataset)
    guard !dataset.samples.isEmpty else {
      throw TrainingError.badData(
        Problem(dataset.name, found: "no pictures to evaluate", expected: "at least one"))
    }
    let width = classifier.config.outputCount
    let pass = ImagePass(pictures: pictures, batchSize: batchSize, workerCount: workerCount)
    let scores = try pass.rows(dataset.samples, width: width, progress: progress) {
      classifier($0, .evaluation)
    }
    let values = scores.array
    let rows = dataset.samples.indices.map { row in columns.map { values[row * width + $0] } }
    return ClassifierReport(dataset, rows, objective)
  }

  /// The classifier's output for each class of a dataset.
  public func columns(of dataset: ImageTextDataset) throws(TrainingError) -> [Int] {
    let own = classifier.config.classNames
    try ClassObjective(classNames: dataset.classNames, isMultiLabel: isMultiLabel).requireClasses(
      dataset.table)
    var columns: [Int] = []
    for name in dataset.classNames {
      guard let column = own.firstIndex(of: name) else {
        throw .badConfiguration(
          Problem(
            dataset.table, found: "class '\(name)'",
            expected: "classes that the classifier was trained for: \(own.joined(separator: ", "))"))
      }
      columns.append(column)
    }
    return columns
  }
}
