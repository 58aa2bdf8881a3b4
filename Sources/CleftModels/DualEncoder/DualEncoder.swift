import CleftNN
import CleftTensor
import Foundation

/// Image tower with its projection.
public final class ImageEncoder: Module {
  /// The backbone.
  @Child("model") public var model: any ImageTower
  /// The projection.
  @Child("global_embed") public var projection: any UnaryLayer
  let pooling: ImagePooling

  init(_ vision: any ImageTowerConfig, pooling: ImagePooling, projection: any UnaryLayer) {
    _model.wrappedValue = vision.makeTower()
    _projection.wrappedValue = projection
    self.pooling = pooling
  }

  /// Unit vectors of images: `[B, 3, H, W]` → `[B, E]`.
  public func callAsFunction(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    embedding(feature(images, context), context)
  }

  /// What the backbone makes of images, each by itself: `[B, 3, H, W]` → `[B, C]`.
  public func feature(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    model.feature(images, pooling: pooling, context)
  }

  /// The same pass with what lies behind the vectors; nil for towers without a token for each place.
  public func inspect(_ images: Tensor, _ context: ForwardContext) -> TokenInspection? {
    model.inspect(images, pooling: pooling, context)
  }

  /// Unit vectors of features, whose batch norm mixes them: `[B, C]` → `[B, E]`.
  public func embedding(_ feature: Tensor, _ context: ForwardContext) -> Tensor {
    let projected = projection(feature, context.split("global_embed"))
    let embedding = normalizeRows(projected)
    context.taps?.record("image_feature", feature)
    context.taps?.record("image_projection", projected)
    context.taps?.record("image_embedding", embedding)
    return embedding
  }
}

/// Text tower with its projection.
public final class TextEncoder: Module {
  /// The language model.
  @Child("model") public var model: any TextTower
  /// The projection.
  @Child("global_embed") public var projection: any UnaryLayer
  /// Whether dropout of the language model and its adapters goes on in training while they are frozen, as published.
  public var dropsOutWhileFrozen = true

  init(_ config: DualEncoderConfig) {
    _model.wrappedValue = config.text.makeTower()
    _projection.wrappedValue = makeHead(config.head, config.text.hiddenSize, config.embeddingSize)
  }

  /// Unit vectors of captions: packed captions → `[B, E]`.
  public func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    embedding(feature(batch, context), context)
  }

  /// What the language model makes of captions, each by itself: packed captions → `[B, C]`.
  public func feature(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    let tower = model
    var context = context
    context.isTraining = dropsOut(context)
    return tower(batch, context)
  }

  /// Whether dropout of the language model is in force in a pass; without it equal captions have equal features.
  ///
  /// Vectors in front of captions have none of their own.
  public func dropsOut(_ context: ForwardContext) -> Bool {
    guard context.isTraining, !dropsOutWhileFrozen else { return context.isTraining }
    let vectors = model.virtualTokens?.cell
    return model.parameters.contains { $0.cell.isTrainable && $0.cell !== vectors }
  }

  /// Unit vectors of features, whose batch norm mixes them: `[B, C]` → `[B, E]`.
  public func embedding(_ feature: Tensor, _ context: ForwardContext) -> Tensor {
    let projected = projection(feature, context.split("global_embed"))
    let embedding = normalizeRows(projected)
    context.taps?.record("text_feature", feature)
    context.taps?.record("text_projection", projected)
    context.taps?.record("text_embedding", embedding)
    return embedding
  }
}

/// CLEFT: an image tower and a causal language model into one space, with a learned temperature.
///
/// - Source: Du et al. 2024, arXiv 2407.21011.
public final class DualEncoder: Module {
  /// Natural logarithm of the inverse temperature, a scalar.
  @Parameter public var logitScale: Tensor
  /// Shift of the scores that the sigmoid loss trains, a scalar; nil without.
  @OptionalParameter public var logitBias: Tensor?
  /// Image side.
  @Child("img_encoder_q") public var image: ImageEncoder
  /// Text side.
  @Child("text_encoder_q") public var text: TextEncoder
  /// Shapes and numerics.
  public private(set) var config: DualEncoderConfig

  /// Makes the pair; the values come from files or, by key, from `seed`.
  public init(_ config: DualEncoderConfig) {
    self.config = config
    _logitScale = Parameter("logit_scale", [], .constant(log(1 / config.temperature)))
    _logitBias = Self.bias(isPresent: config.hasLogitBias)
    _image.wrappedValue = ImageEncoder(
      config.vision, pooling: config.pooling,
      projection: makeHead(config.head, config.vision.hiddenSize, config.embeddingSize))
    _text.wrappedValue = TextEncoder(config)
  }

  /// Sets what decides how captions are read but no shape.
  public func setCaptions(length: Int, pooledToken: PooledToken) {
    config.captionLength = length
    config.pooledToken = pooledToken
  }

  /// Adds a shift of the scores with its start value, or takes it away; one that is there already stays as it is.
  public func setLogitBias(isPresent: Bool) {
    if isPresent == config.hasLogitBias { return }
    config.hasLogitBias = isPresent
    _logitBias = Self.bias(isPresent: isPresent)
  }

  /// Far below 0, since most pairs of a batch are no match.
  private static func bias(isPresent: Bool) -> OptionalParameter {
    OptionalParameter("logit_bias", [], .constant(-10), isPresent: isPresent)
  }

  /// Packs captions the way this model reads them.
  ///
  /// - Parameter deduplicates: computes equal captions, and rows that all captions begin with, once; for passes in which
  ///   no dropout tells them apart (`TextEncoder.dropsOut`).
  public func textBatch(_ captions: [[Int]], deduplicates: Bool = false, keepsPadding: Bool = false)
    -> TextBatch
  {
    // Keys and values of prefix tuning are in front already; rows in front besides them are not worth a third part.
    TextBatch(
      captions: captions, length: config.captionLength, paddingID: config.text.paddingID,
      pooledToken: config.text.isCausal ? config.pooledToken : .first, isCausal: config.text.isCausal,
      virtualCount: text.model.virtualTokens?.cell.shape[0] ?? 0,
      firstPosition: text.model.prefix?.count ?? 0, deduplicates: deduplicates,
      sharesBeginning: deduplicates && text.model.prefix == nil, keepsPadding: keepsPadding)
  }
}

private func makeHead(_ head: DualEncoderConfig.Head, _ inputSize: Int, _ outputSize: Int) -> any UnaryLayer {
  switch head {
  case .linear: Linear(inputSize, outputSize)
  case .mlp: ProjectionHead(inputSize, outputSize)
  }
}
