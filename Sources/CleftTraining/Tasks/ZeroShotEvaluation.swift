import CleftData
import CleftFormats
import CleftImaging
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

/// Scores of one prompt set.
public struct ZeroShotScores: Codable, Sendable {
  /// Name of the prompt set.
  public let prompts: String
  /// Share of pictures whose best prompt is their class's, 0 … 1.
  public let accuracy: Double?
  /// Area under the ROC curve, mean over classes of one against the rest, 0 … 1; nil if undefined.
  public let auc: Double?
  /// Row = true class, column = predicted class.
  public let confusion: [[Int]]
}

/// What a zero-shot evaluation found.
public struct ZeroShotReport: Codable, Sendable {
  /// Name of the dataset.
  public let dataset: String
  /// Pictures scored.
  public let count: Int
  /// Classes in order.
  public let classNames: [String]
  /// Scores of each prompt set, the scored one first.
  public let scores: [ZeroShotScores]
  /// Rows that could not be used and are not among the pictures.
  public let skipped: [BadRow]
  /// Different prompts longer than the model's columns, whose ends are cut off; not part of the JSON.
  public let cutPromptCount: Int
  /// Probability of each class for each picture under the first prompt set, in sample order; not part of the JSON.
  public let probabilities: [[Float]]

  private enum CodingKeys: String, CodingKey { case dataset, count, classNames, scores, skipped }

  init(
    _ dataset: ImageTextDataset, scores: [ZeroShotScores], probabilities: [[Float]], cutPromptCount: Int
  ) {
    self.dataset = dataset.name
    count = dataset.samples.count
    classNames = dataset.classNames
    skipped = dataset.badRows
    self.scores = scores
    self.probabilities = probabilities
    self.cutPromptCount = cutPromptCount
  }

  /// Reads a report; single probabilities are not stored.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    dataset = try values.decode(String.self, forKey: .dataset)
    count = try values.decode(Int.self, forKey: .count)
    classNames = try values.decode([String].self, forKey: .classNames)
    scores = try values.decode([ZeroShotScores].self, forKey: .scores)
    skipped = try values.decode([BadRow].self, forKey: .skipped)
    (probabilities, cutPromptCount) = ([], 0)
  }
}

/// Classifies pictures by the prompt whose text is nearest.
public struct ZeroShotEvaluation {
  private let encoder: DualEncoder
  private let prompts: ClassPrompts

  /// Makes an evaluation of a model.
  ///
  /// - Parameter keepsLeadingSpace: see `ModelDescription.tokens`.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer,
    keepsLeadingSpace: Bool = true
  ) {
    self.encoder = encoder
    prompts = ClassPrompts(
      description: description, tokenizer: tokenizer, keepsLeadingSpace: keepsLeadingSpace)
  }

  /// Scores every picture of a dataset under each of its prompt sets.
  ///
  /// Prompts are encoded once.
  public func run(
    _ dataset: ImageTextDataset, pictures: PictureStore, batchSize: Int, workerCount: Int,
    progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ZeroShotReport {
    let count = dataset.samples.count
    guard count > 0 else {
      throw TrainingError.badData(
        .init(dataset.name, found: "no pictures to evaluate", expected: "at least one"))
    }
    let cutPrompts = try requireDistinctPrompts(dataset)
    let features = try ImagePass(pictures: pictures, batchSize: batchSize, workerCount: workerCount).rows(
      dataset.samples, width: encoder.config.embeddingSize, progress: progress
    ) { encoder.image($0, .evaluation) }
    let labels = dataset.samples.map(\.firstLabel)
    let classCount = dataset.classNames.count
    let tables = dataset.promptSets.map { set in
      withoutGradients { Classification.probabilities(logits(features, dataset.samples, set.prompts)) }
    }
    guard tables.allSatisfy({ $0.allSatisfy { $0.allSatisfy(\.isFinite) } }) else {
      throw TrainingError.badData(
        Problem(
          dataset.name, found: "scores that are not finite",
          hint: "Are the text tower's weights? Evaluate an earlier checkpoint."))
    }
    let scores = zip(dataset.promptSets, tables).map { set, rows in
      let auc =
        classCount == 2
        ? Classification.auc(scores: rows.map { $0[1] }, isPositive: labels.map { $0 == 1 })
        : Classification.macroAUC(scores: rows, labels: labels, classCount: classCount)
      return ZeroShotScores(
        prompts: set.name, accuracy: Classification.accuracy(scores: rows, labels: labels), auc: auc,
        confusion: Classification.confusion(scores: rows, labels: labels, classCount: classCount))
    }
    return ZeroShotReport(
      dataset, scores: scores, probabilities: tables[0], cutPromptCount: cutPrompts.count)
  }

  /// Scores of every picture against every prompt; pictures with the same text in front of their prompts share them.
  private func logits(_ features: Tensor, _ samples: [Sample], _ prompts: [String]) -> [[Float]] {
    let width = encoder.config.embeddingSize
    let (values, scale) = (features.array, exp(encoder.logitScale.item))
    var rows = [[Float]](repeating: [], count: samples.count)
    for (prefix, members) in Dictionary(grouping: samples.indices, by: { samples[$0].promptPrefix ?? "" }) {
      let texts = encode(prompts.map { prefix + $0 })
      let own = members.flatMap { values[$0 * width..<($0 + 1) * width] }
      let scores = (matmul(Tensor([members.count, width], own), texts, transposingB: true) * scale).array
      for (place, index) in members.enumerated() {
        rows[index] = Array(scores[place * prompts.count..<(place + 1) * prompts.count])
      }
    }
    return rows
  }

  private func encode(_ prompts: [String]) -> Tensor {
    let batch = encoder.textBatch(prompts.map { self.prompts.tokens($0) }, deduplicates: true)
    return encoder.text(batch, .evaluation)
  }

  /// Fails if classes of a dataset cannot be told apart by their prompts, before anything is computed.
  public func requirePrompts(_ dataset: ImageTextDataset) throws(TrainingError) {
    _ = try requireDistinctPrompts(dataset)
  }

  /// Prompts that are cut at the model's columns.
  ///
  /// - Throws: `TrainingError.badConfiguration` if two classes then read alike: every picture would be the first one's.
  private func requireDistinctPrompts(_ dataset: ImageTextDataset) throws(TrainingError) -> Set<String> {
    var cut: Set<String> = []
    for prefix in Set(dataset.samples.map { $0.promptPrefix ?? "" }) {
      for set in dataset.promptSets {
        cut.formUnion(try prompts.requireDistinct(set.prompts.map { prefix + $0 }))
      }
    }
    return cut
  }
}
