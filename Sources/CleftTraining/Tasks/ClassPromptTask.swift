import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText

/// Prompt tuning by classes: every step reads the prompts of all classes through the trained vectors and learns to tell
/// pictures by them (`--prompt_ft --class_wise`).
///
/// `exp(logit_scale)·u·vᵀ` of pictures and class prompts, with cross-entropy against the first label, or a sigmoid for
/// each class. No captions are read.
/// - Source: Zhou et al. 2021, arXiv 2109.01134 (CoOp, one context for all classes).
public final class ClassPromptTask: TrainingTask {
  /// Name in messages.
  public let name = "class-wise prompt tuning"
  /// Samples trained on.
  public let trainingSamples: [Sample]
  /// Samples watched.
  public let validationSamples: [Sample]
  /// Prompts longer than the model's columns; their ends are cut off.
  public let cutPromptCount: Int
  /// Features of the frozen image tower; nil where none are kept.
  ///
  /// The text tower's change with the vectors.
  public private(set) var frozen: FrozenFeatures?
  private let encoder: DualEncoder
  private let objective: ClassObjective
  private let prompts: [[Int]]

  /// Makes a task; prompts are those that a zero-shot evaluation of the training set would score.
  ///
  /// - Parameter keepsLeadingSpace: see `ModelDescription.tokens`.
  /// - Throws: `TrainingError.badConfiguration` without one prompt of its own for each class.
  public init(
    encoder: DualEncoder, description: ModelDescription, tokenizer: any Tokenizer, keepsLeadingSpace: Bool,
    objective: ClassObjective, training: ImageTextDataset, validation: ImageTextDataset?
  ) throws(TrainingError) {
    self.encoder = encoder
    self.objective = objective
    trainingSamples = training.samples
    validationSamples = validation?.samples ?? []
    try objective.requireClasses(training.table)
    let texts = try Self.texts(training.promptSets.first)
    let reader = ClassPrompts(
      description: description, tokenizer: tokenizer, keepsLeadingSpace: keepsLeadingSpace)
    cutPromptCount = try reader.requireDistinct(texts).count
    prompts = texts.map { reader.tokens($0) }
  }

  /// The one text of each class.
  ///
  /// - Throws: `TrainingError.badConfiguration` for an ensemble or pairs: the vectors would be tuned to something else than
  ///   is scored.
  private static func texts(_ set: PromptSet?) throws(TrainingError) -> [String] {
    guard let set, !set.isPlain else { return set?.prompts ?? [] }
    throw .badConfiguration(
      Problem(
        "--class_wise",
        found: "the prompt set '\(set.name)' with "
          + (set.negatives == nil ? "several texts for a class" : "texts for and against each class"),
        expected: "one text for each class",
        hint: set.negatives == nil
          ? "Pass such a set first in --prompts, and score ensembles with 'cleft eval'."
          : "Train without --multi_label, and pass it to 'cleft eval'."))
  }

  /// The model trained.
  public var model: any Module { encoder }

  /// What there is to know of labels and prompts.
  public var notes: [String] {
    objective.notes(trainingSamples)
      + (cutPromptCount > 0
        ? ["\(cutPromptCount) prompts are longer than the model's columns and are cut."] : [])
  }

  /// Tokens of the class prompts, which every batch reads, prompt vectors left out.
  public func tokenCount(_ split: Split, _ indices: [Int]) -> Int { prompts.reduce(0) { $0 + $1.count } }

  /// The labels, and the prompts, one row a class.
  public func inputs(_ split: Split, _ indices: [Int]) -> TraceInputs {
    var inputs = objective.inputs(samples(split, indices))
    let captions = TraceInputs.captions(
      prompts, length: encoder.config.captionLength, paddingID: encoder.config.text.paddingID)
    inputs.integers.merge(captions.integers) { own, _ in own }
    return inputs
  }

  /// Keeps features of the image tower if it is frozen.
  public func keepFeatures(_ keeping: FeatureKeeping) {
    let features = FrozenFeatures(keeping)
    features.keepPictures(
      training: trainingSamples.count, validation: validationSamples.count, encoder.image,
      FrozenTower(encoder.image, encoder.config.vision))
    frozen = features
  }

  /// Loss and accuracy of some samples.
  public func loss(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> TaskResult {
    let textContext = context.split("text")
    // Without dropout the trained vectors and what the prompts begin with are computed once for all classes.
    let batch = encoder.textBatch(prompts, deduplicates: !encoder.text.dropsOut(textContext))
    let imageContext = context.split("image")
    let features = imageFeatures(split, indices, context) { encoder.image.feature(images, imageContext) }
    let logits = scaledScores(
      encoder.image.embedding(features, imageContext), encoder.text(batch, textContext),
      logitScale: encoder.logitScale)
    return objective.result(logits, samples(split, indices))
  }

  private func samples(_ split: Split, _ indices: [Int]) -> [Sample] {
    let all = split == .train ? trainingSamples : validationSamples
    return indices.map { all[$0] }
  }
}
