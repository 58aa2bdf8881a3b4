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
