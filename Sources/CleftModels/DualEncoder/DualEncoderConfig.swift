/// Everything that decides the shapes and numerics of an image–text pair of towers.
public struct DualEncoderConfig: Codable, Sendable, Equatable {
  /// Projection behind each tower.
  public enum Head: String, Codable, Sendable, CaseIterable {
    case linear
    case mlp
  }

  /// What stands for an image.
  public enum Pooling: String, Codable, Sendable, CaseIterable {
    /// Mean of all tokens before the final norm (`--pool_feat`).
    case mean
    /// Class token after the final norm.
    case cls
  }

  /// Image tower.
  public var vision: VisionTransformerConfig
  /// Text tower.
  public var text: GPTConfig
  /// Width of the shared space.
  public var embeddingSize: Int
  /// Projections.
  public var head: Head
  /// Image feature.
  public var pooling: Pooling
  /// Text feature.
  public var pooledToken: PooledToken
  /// Columns of a caption in the published layout; longer captions are cut.
  public var captionLength: Int
  /// Start of the temperature; the trained `logit_scale` is ln(1/temperature).
  public var temperature: Float

  /// What makes these numbers impossible together, nil if nothing does.
  ///
  /// - Parameter virtualTokenCount: vectors in front of every caption.
  public func contradiction(virtualTokenCount: Int = 0) -> String? {
    let sizes = [
      ("hidden size", vision.hiddenSize), ("depth", vision.depth), ("heads", vision.headCount),
      ("patch size", vision.patchSize), ("mlp ratio", vision.mlpRatio),
      ("position grid", vision.positionGrid),
      ("image size", vision.imageSizePixels), ("vocab_size", text.vocabularySize),
      ("n_positions", text.positionCount),
      ("n_embd", text.hiddenSize), ("n_layer", text.depth), ("n_head", text.headCount),
      ("embedding size", embeddingSize), ("caption length", captionLength),
    ]
    for (name, size) in sizes where size < 1 || size > 1 << 24 {
      return "\(name) \(size); expected 1 ... 2^24"
    }
    if !(text.dropout >= 0 && text.dropout < 1) { return "dropout \(text.dropout); expected 0 ..< 1" }
    if !(0...(1 << 24)).contains(virtualTokenCount) { return "\(virtualTokenCount) virtual tokens" }
    if vision.registerCount < 0 { return "\(vision.registerCount) registers; expected 0 or more" }
    for (name, width, heads) in [
      ("image", vision.hiddenSize, vision.headCount), ("text", text.hiddenSize, text.headCount),
    ] where width % heads != 0 {
      return "\(name) tower: \(heads) heads for \(width) channels; expected a divisor"
    }
    if vision.imageSizePixels % vision.patchSize != 0 {
      return "image size \(vision.imageSizePixels); expected a multiple of the patch size \(vision.patchSize)"
    }
    if !(0..<text.vocabularySize).contains(text.endOfTextID) {
      return "eos_token_id \(text.endOfTextID); expected below vocab_size \(text.vocabularySize)"
    }
    if virtualTokenCount + captionLength > text.positionCount {
      return "\(virtualTokenCount) virtual tokens and \(captionLength) caption columns; "
        + "expected at most n_positions \(text.positionCount) together"
    }
    return nil
  }

  /// Makes a configuration.
  public init(
    vision: VisionTransformerConfig, text: GPTConfig, embeddingSize: Int = 512, head: Head = .linear,
    pooling: Pooling = .mean, pooledToken: PooledToken = .endOfText, captionLength: Int = 64,
    temperature: Float = 0.07
  ) {
    self.vision = vision
    self.text = text
    self.embeddingSize = embeddingSize
    self.head = head
    self.pooling = pooling
    self.pooledToken = pooledToken
    self.captionLength = captionLength
    self.temperature = temperature
  }
}
