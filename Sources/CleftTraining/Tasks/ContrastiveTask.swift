import CleftAdapters
import CleftData
import CleftMetrics
import CleftModels
import CleftNN
import CleftTensor
import CleftText

/// Contrastive language–image training: pretraining, and prompt tuning when the model has prompt vectors.
///
/// - Source: Du et al. 2024, arXiv 2407.21011, §2.
public final class ContrastiveTask: PooledTask {
  /// Name in messages.
  public let name = "contrastive"
  /// Samples trained on.
  public let trainingSamples: [Sample]
  /// Samples watched.
  public let validationSamples: [Sample]
  /// Training captions longer than the model's columns; their ends are cut off.
  public let cutCaptionCount: Int
  /// Features of frozen towers; nil where none are kept.
  public private(set) var frozen: FrozenFeatures?
  private let encoder: DualEncoder
  /// AdaLoRA's schedule, whose orthogonality term the training loss takes in; nil without.
  private let allocator: RankAllocator?
  private let objective: ContrastiveObjective
  private let tokens: [Split: [[Int]]]
  /// One number a sample: the same for captions that the model reads alike.
  private let captionNumbers: [Split: [Int]]

  /// Makes a task; captions are tokenized once.
  ///
  /// For the sigmoid loss the model must have a `logitBias`.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer, training: ImageTextDataset,
    validation: ImageTextDataset?, objective: ContrastiveObjective = ContrastiveObjective(),
    allocator: RankAllocator? = nil
  ) {
    precondition(
      objective.kind == .softmax || encoder.config.hasLogitBias, "contrastive task: no logit_bias")
    self.encoder = encoder
    self.allocator = allocator
    self.objective = objective
    trainingSamples = training.samples
    validationSamples = validation?.samples ?? []
    // Few captions differ; each is tokenized once.
    var known: [String: [Int]] = [:]
    var cut: Set<String> = []
    func ids(_ samples: [Sample]) -> [[Int]] {
      samples.map { sample in
        let caption = sample.caption ?? ""
        if let ids = known[caption] { return ids }
        let ids = description.tokens(caption, tokenizer)
        if ids.count == description.encoder.captionLength,
          description.tokens(caption, tokenizer, isLimited: false).count > ids.count
        {
          cut.insert(caption)
        }
        known[caption] = ids
        return ids
      }
    }
    let tokens = [Split.train: ids(trainingSamples), .valid: ids(validationSamples)]
    self.tokens = tokens
    captionNumbers = Self.numbers(tokens)
    cutCaptionCount = trainingSamples.count { cut.contains($0.caption ?? "") }
  }

  /// A number for each caption, the same for equal ones.
  private static func numbers(_ captions: [Split: [[Int]]]) -> [Split: [Int]] {
    var numbers: [[Int]: Int] = [:]
    return captions.mapValues { captions in
      captions.map { caption in
        if let number = numbers[caption] { return number }
        numbers[caption] = numbers.count
        return numbers.count - 1
      }
    }
  }

  /// The model trained.
  public var model: any Module { encoder }

  /// How many captions are cut.
  public var notes: [String] {
    cutCaptionCount > 0
      ? ["\(cutCaptionCount) training captions are longer than the model's columns and are cut."] : []
  }

  /// Tokens of the captions, vectors in front of them included; 0 where their features are kept and nothing is read.
  public func tokenCount(_ split: Split, _ indices: [Int]) -> Int {
    if frozen?.captions[split] != nil { return 0 }
    let vectors = encoder.text.model.virtualTokens?.cell.shape[0] ?? 0
    return indices.reduce(0) { $0 + vectors + (tokens[split]?[$1].count ?? 0) }
  }

  /// The captions, padded as published.
  public func inputs(_ split: Split, _ indices: [Int]) -> TraceInputs {
    .captions(
      indices.map { tokens[split]?[$0] ?? [] }, length: encoder.config.captionLength,
      paddingID: encoder.config.text.paddingID)
  }

  /// Keeps features of frozen towers.
  public func keepFeatures(_ keeping: FeatureKeeping) {
    let (encoder, features) = (encoder, FrozenFeatures(keeping))
    features.keepCaptions(
      tokens, FrozenTower(encoder.text, encoder.config.text, isAllocated: allocator != nil)
    ) { encoder.text.feature(encoder.textBatch($0, deduplicates: true), .evaluation) }
    features.keepPictures(
      training: trainingSamples.count, validation: validationSamples.count, encoder.image,
      FrozenTower(encoder.image, encoder.config.vision))
    frozen = features
  }

  /// What the towers make of some samples: images `[B, C]`, captions `[B, C']`.
  public func features(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> [Tensor] {
    [imageFeature(split, indices, images, context), textFeature(split, indices, context)]
  }

  /// What the image tower makes of some samples: `[B, 3, H, W]` → `[B, C]`.
  func imageFeature(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> Tensor {
    imageFeatures(split, indices, context) { encoder.image.feature(images, context.split("image")) }
  }

  /// What the text tower makes of the captions of some samples: `[B, C']`.
  func textFeature(_ split: Split, _ indices: [Int], _ context: ForwardContext) -> Tensor {
    if context.taps == nil, let kept = frozen?.captions[split] { return kept.features(split, indices) }
    let captions = indices.map { tokens[split]?[$0] ?? [] }
    // Equal captions and equal beginnings differ only by dropout: without it they are computed once.
    let batch = encoder.textBatch(
      captions, deduplicates: !encoder.text.dropsOut(context.split("text")))
    return encoder.text.feature(batch, context.split("text"))
  }

  /// Loss and in-batch retrieval of samples with their features.
  public func loss(
    _ split: Split, _ indices: [Int], features: [Tensor], _ context: ForwardContext
  ) -> TaskResult {
    let groups = objective.matchesEqualCaptions ? indices.map { captionNumbers[split]?[$0] ?? 0 } : nil
    let result = objective.result(
      images: encoder.image.embedding(features[0], context.split("image")),
      texts: encoder.text.embedding(features[1], context.split("text")),
      logitScale: encoder.logitScale, logitBias: encoder.logitBias, groups: groups)
    let scores = result.logits.array
    var total = result.loss
    if context.isTraining, let term = allocator?.regularization { total = total + term }
    let loss = Double(total.item)
    return TaskResult(
      loss: total,
      metrics: [
        "loss": loss, "loss_c": Double(result.loss.item),
        "acc1": 100 * Retrieval.accuracy(scores: scores, count: indices.count, k: 1, groups: groups),
        "acc5": 100 * Retrieval.accuracy(scores: scores, count: indices.count, k: 5, groups: groups),
      ])
  }
}
