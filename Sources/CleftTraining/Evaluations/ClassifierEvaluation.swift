import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor

/// Scores pictures by an image classifier.
public struct ClassifierEvaluation: PictureScorer {
  private let classifier: ImageClassifier
  private let isMultiLabel: Bool

  /// Makes an evaluation of a model.
  public init(_ classifier: ImageClassifier, isMultiLabel: Bool) {
    self.classifier = classifier
    self.isMultiLabel = isMultiLabel
  }

  /// As the classifier was trained.
  public var question: PredictionTable.Question { isMultiLabel ? .each : .oneOf }

  /// Fails if the classifier does not know the dataset's classes.
  public func requireSense(_ dataset: ImageTextDataset) throws { _ = try columns(of: dataset) }

  /// Scores every picture under the dataset's classes, which must be among the classifier's.
  ///
  /// - Throws: `TrainingError.badConfiguration` naming the first class that the classifier does not know.
  public func score(
    _ dataset: ImageTextDataset, _ pass: ImagePass, progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ScoredPictures {
    let columns = try columns(of: dataset)
    guard !dataset.samples.isEmpty else {
      throw TrainingError.badData(
        Problem(dataset.name, found: "no pictures to evaluate", expected: "at least one"))
    }
    let width = classifier.config.outputCount
    let values = try pass.rows(dataset.samples, width: width, progress: progress) {
      classifier($0, .evaluation)
    }.array
    let rows = dataset.samples.indices.map { row in columns.map { values[row * width + $0] } }
    return ScoredPictures(parts: [.init(prompts: nil, table: dataset.table(rows, question))])
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
