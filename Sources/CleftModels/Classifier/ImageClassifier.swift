import CleftNN
import CleftTensor

/// An image tower with a linear classifier in the place of CLEFT's projection.
///
/// - Shapes: images `[B, 3, H, W]` → scores `[B, outputs]`, unscaled.
/// - Initial state: the classifier's weight and bias uniform ±1/√C, as `torch.nn.Linear`'s.
/// - Source: CLEFT's `--img_cls_ft`; keys are those of the published program.
public final class ImageClassifier: Module {
  /// The tower, and the classifier as its projection.
  @Child("img_encoder_q") public var image: ImageEncoder
  /// Shapes and numerics.
  public let config: ImageClassifierConfig

  /// Makes a classifier; the values come from files or, by key, from `seed`.
  public init(_ config: ImageClassifierConfig) {
    precondition(config.contradiction == nil, "classifier: \(config.contradiction ?? "")")
    self.config = config
    _image.wrappedValue = ImageEncoder(
      config.vision, pooling: config.pooling,
      projection: Linear(config.vision.hiddenSize, config.outputCount))
  }

  /// Scores of each class, the larger the more likely.
  public func callAsFunction(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    scores(ofFeatures: image.feature(images, context.split("image")), context)
  }

  /// The same of what the tower makes of images: `[B, C]` → `[B, outputs]`.
  public func scores(ofFeatures feature: Tensor, _ context: ForwardContext) -> Tensor {
    let inner = context.split("image")
    let classifier = image.projection
    let scores = classifier(feature, inner.split("global_embed"))
    inner.taps?.record("image_feature", feature)
    inner.taps?.record("image_projection", scores)
    return config.normalizesOutputs ? normalizeRows(scores) : scores
  }
}
