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
  private let encoder: DualEncoder
  /// AdaLoRA's schedule, whose orthogonality term the training loss takes in; nil without.
  private let allocator: RankAllocator?
  private let tokens: [Split: [[Int]]]

  /// Makes a task; captions are tokenized once.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer, training: ImageTextDataset,
    validation: ImageTextDataset?, allocator: RankAllocator? = nil
  ) {
    self.encoder = encoder
    self.allocator = allocator
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
    tokens = [.train: ids(trainingSamples), .valid: ids(validationSamples)]
    cutCaptionCount = trainingSamples.count { cut.contains($0.caption ?? "") }
  }

  /// The model trained.
  public var model: any Module { encoder }

  /// How many captions are cut.
  public var notes: [String] {
    cutCaptionCount > 0
      ? ["\(cutCaptionCount) training captions are longer than the model's columns and are cut."] : []
  }

  /// Tokens of the captions, prompt vectors left out.
  public func tokenCount(_ split: Split, _ indices: [Int]) -> Int {
    indices.reduce(0) { $0 + (tokens[split]?[$1].count ?? 0) }
  }

  /// What the towers make of some samples: images `[B, C]`, captions `[B, C']`.
  public func features(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> [Tensor] {
    let captions = indices.map { tokens[split]?[$0] ?? [] }
    // Equal captions differ only by dropout: without it they are computed once.
    let batch = encoder.textBatch(captions, deduplicates: !context.isTraining)
    return [
      encoder.image.feature(images, context.split("image")),
      encoder.text.feature(batch, context.split("text")),
    ]
  }

  /// Loss and in-batch retrieval of samples with their features.
  public func loss(
    _ split: Split, _ indices: [Int], features: [Tensor], _ context: ForwardContext
  ) -> TaskResult {
    let result = contrastiveLoss(
      images: encoder.image.embedding(features[0], context.split("image")),
      texts: encoder.text.embedding(features[1], context.split("text")),
      logitScale: encoder.logitScale)
    let scores = result.logits.array
    var total = result.loss
    if context.isTraining, let term = allocator?.regularization { total = total + term }
    let loss = Double(total.item)
    return TaskResult(
      loss: total,
      metrics: [
        "loss": loss, "loss_c": Double(result.loss.item),
        "acc1": 100 * Retrieval.accuracy(scores: scores, count: indices.count, k: 1),
        "acc5": 100 * Retrieval.accuracy(scores: scores, count: indices.count, k: 5),
      ])
  }
}
