import CleftData
import CleftMetrics
import CleftTensor

/// What gives pictures scores for classes: prompts of a pair of towers, or a classifier.
public protocol PictureScorer {
  /// Fails if the classes of a dataset cannot be told apart, before anything is computed.
  func requireSense(_ dataset: ImageTextDataset) throws
  /// What is asked of each picture.
  var question: PredictionTable.Question { get }
  /// Scores every picture of a dataset.
  func score(
    _ dataset: ImageTextDataset, _ pass: ImagePass, progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ScoredPictures
}

/// Scores of a dataset's pictures.
public struct ScoredPictures: Sendable {
  /// Scores under one prompt set, or of a classifier.
  public struct Part: Sendable {
    /// The prompt set; nil for a classifier.
    public var prompts: PromptSet?
    /// Scores and truth.
    public var table: PredictionTable

    /// Makes a part.
    public init(prompts: PromptSet?, table: PredictionTable) {
      (self.prompts, self.table) = (prompts, table)
    }
  }

  /// One part a prompt set, the one that counts first.
  public var parts: [Part]
  /// Unit vectors of the pictures `[n, E]`, row by row; empty for a classifier.
  public var embeddings: [Float] = []
  /// Different prompts longer than the model's columns, whose ends are cut off.
  public var cutPromptCount = 0

  /// Makes scores.
  public init(parts: [Part], embeddings: [Float] = [], cutPromptCount: Int = 0) {
    (self.parts, self.embeddings, self.cutPromptCount) = (parts, embeddings, cutPromptCount)
  }
}

extension ImageTextDataset {
  /// Scores of the samples together with their truth.
  ///
  /// - Parameter rows: arguments of the softmax or the sigmoids, a row a sample.
  func table(_ rows: [[Float]], _ question: PredictionTable.Question) -> PredictionTable {
    PredictionTable(
      classNames: classNames, question: question, logits: rows.flatMap { $0.map(Double.init) },
      labels: samples.map { question == .oneOf ? [$0.firstLabel] : $0.labels },
      unknown: question == .each && samples.contains { !$0.uncertain.isEmpty }
        ? samples.map(\.uncertain) : [],
      clusters: PredictionTable.clusters(of: samples.map(\.patient)))
  }

  /// Only samples that thresholds can be chosen on: those of exactly one class, unless each class is a question of its own.
  public func answering(_ question: PredictionTable.Question) -> ImageTextDataset {
    guard question == .oneOf else { return self }
    var dataset = self
    dataset.samples = samples.filter { $0.labels.count == 1 }
    return dataset
  }
}
