import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

/// Classifies pictures by the prompt whose text is nearest.
///
/// - Source: Radford et al. 2021, arXiv 2103.00020, §3.1.4 for ensembles; Tiu et al. 2022, CheXzero, for pairs of prompts.
public struct ZeroShotEvaluation: PictureScorer {
  /// What is asked of each picture.
  public let question: PredictionTable.Question
  /// What turns prompts into vectors.
  public let prompts: PromptEncoder
  private let encoder: DualEncoder

  /// Makes an evaluation of a model.
  ///
  /// - Parameter keepsLeadingSpace: see `ModelDescription.tokens`.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer,
    keepsLeadingSpace: Bool = true, question: PredictionTable.Question = .oneOf
  ) {
    self.encoder = encoder
    self.question = question
    prompts = PromptEncoder(
      encoder: encoder, description: description, tokenizer: tokenizer, keepsLeadingSpace: keepsLeadingSpace)
  }

  /// Scores every picture of a dataset under each of its prompt sets; prompts are encoded once.
  public func score(
    _ dataset: ImageTextDataset, _ pass: ImagePass, progress: (_ done: Int, _ of: Int) -> Void
  ) throws -> ScoredPictures {
    guard !dataset.samples.isEmpty else {
      throw TrainingError.badData(
        Problem(dataset.name, found: "no pictures to evaluate", expected: "at least one"))
    }
    try requireSense(dataset)
    let vectors = try pass.rows(
      dataset.samples, width: encoder.config.embeddingSize, progress: progress
    ) { encoder.image($0, .evaluation) }
    let parts = try dataset.promptSets.map { set in
      let rows = logits(vectors, dataset.samples, set)
      guard rows.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
        throw TrainingError.badData(
          Problem(
            dataset.name, found: "scores that are not finite",
            hint: "Are the text tower's weights? Evaluate an earlier checkpoint."))
      }
      return ScoredPictures.Part(prompts: set, table: dataset.table(rows, question))
    }
    return ScoredPictures(parts: parts, embeddings: vectors.array, cutPromptCount: prompts.cut.count)
  }

  /// Fails if classes of a dataset cannot be told apart by their prompts.
  public func requireSense(_ dataset: ImageTextDataset) throws {
    for prefix in Set(dataset.samples.map { $0.promptPrefix ?? "" }).sorted() {
      for set in dataset.promptSets { try prompts.requireDistinct(set, prefix: prefix) }
    }
  }

  /// Scores of every picture against every class; pictures with the same text in front of their prompts share them.
  private func logits(_ vectors: Tensor, _ samples: [Sample], _ set: PromptSet) -> [[Float]] {
    let (width, values) = (encoder.config.embeddingSize, vectors.array)
    let scale = exp(encoder.logitScale.item)
    let groups = Dictionary(grouping: samples.indices) { samples[$0].promptPrefix ?? "" }
    if groups.count == 1, let prefix = groups.keys.first {
      return prompts.classTexts(set, prefix: prefix).logits(vectors, scale: scale)
    }
    var rows = [[Float]](repeating: [], count: samples.count)
    let sorted = groups.sorted { $0.key < $1.key }
    _ = prompts.vectors(sorted.flatMap { prefix, _ in set.allTexts.map { prefix + $0 } })
    for (prefix, members) in sorted {
      let own = Tensor(
        [members.count, width], members.flatMap { values[$0 * width..<($0 + 1) * width] })
      let scores = prompts.classTexts(set, prefix: prefix).logits(own, scale: scale)
      for (index, row) in zip(members, scores) { rows[index] = row }
    }
    return rows
  }

  /// Unit vectors of captions `[n, E]`, row by row; equal ones are encoded once.
  public func captionVectors(_ captions: [String]) -> [Float] { prompts.vectors(captions).array }
}
