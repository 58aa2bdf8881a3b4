/// Everything that decides the shapes and numerics of an image–text pair of towers.
public struct DualEncoderConfig: Codable, Sendable {
  /// Projection behind each tower.
  public enum Head: String, Codable, Sendable, CaseIterable {
    case linear
    case mlp
  }

  /// Image tower.
  public var vision: any ImageTowerConfig
  /// Text tower.
  public var text: any TextTowerConfig
  /// Width of the shared space.
  public var embeddingSize: Int
  /// Projections.
  public var head: Head
  /// Image feature.
  public var pooling: ImagePooling
  /// Text feature of causal towers; the others have their first token.
  public var pooledToken: PooledToken
  /// Columns of a caption in the published layout; longer captions are cut.
  public var captionLength: Int
  /// Start of the temperature; the trained `logit_scale` is ln(1/temperature).
  public var temperature: Float
  /// Whether a shift of the scores is trained beside their scale, as the sigmoid loss wants it.
  public var hasLogitBias = false

  /// Makes a configuration.
  public init(
    vision: any ImageTowerConfig, text: any TextTowerConfig, embeddingSize: Int = 512, head: Head = .linear,
    pooling: ImagePooling = .mean, pooledToken: PooledToken = .endOfText, captionLength: Int = 64,
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

  private enum CodingKeys: String, CodingKey {
    case vision, text, embeddingSize, head, pooling, pooledToken, captionLength, temperature, hasLogitBias
  }

  /// Reads a configuration.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      vision: try values.decode(ImageTowerFile.self, forKey: .vision).config,
      text: try values.decode(TextTowerFile.self, forKey: .text).config,
      embeddingSize: try values.decode(Int.self, forKey: .embeddingSize),
      head: try values.decode(Head.self, forKey: .head),
      pooling: try values.decode(ImagePooling.self, forKey: .pooling),
      pooledToken: try values.decode(PooledToken.self, forKey: .pooledToken),
      captionLength: try values.decode(Int.self, forKey: .captionLength),
      temperature: try values.decode(Float.self, forKey: .temperature))
    hasLogitBias = try values.decodeIfPresent(Bool.self, forKey: .hasLogitBias) ?? false
  }

  /// Writes the configuration.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(ImageTowerFile(vision), forKey: .vision)
    try values.encode(TextTowerFile(text), forKey: .text)
    try values.encode(embeddingSize, forKey: .embeddingSize)
    try values.encode(head, forKey: .head)
    try values.encode(pooling, forKey: .pooling)
    try values.encode(pooledToken, forKey: .pooledToken)
    try values.encode(captionLength, forKey: .captionLength)
    try values.encode(temperature, forKey: .temperature)
    if hasLogitBias { try values.encode(hasLogitBias, forKey: .hasLogitBias) }
  }

  /// What makes these numbers impossible together, nil if nothing does.
  ///
  /// - Parameter virtualTokenCount: vectors in front of every caption.
  public func contradiction(virtualTokenCount: Int = 0) -> String? {
    let sizes = [("embedding size", embeddingSize), ("caption length", captionLength)]
    if let wrong = impossibleSize(sizes) ?? vision.contradiction ?? text.contradiction { return wrong }
    if !(text.dropout >= 0 && text.dropout < 1) { return "dropout \(text.dropout); expected 0 ..< 1" }
    if !(0...(1 << 24)).contains(virtualTokenCount) { return "\(virtualTokenCount) virtual tokens" }
    if pooling == .mean && !vision.hasTokens {
      return "mean pooling of an image tower without tokens; leave --pool_feat out"
    }
    if virtualTokenCount + captionLength > text.positionCount {
      return "\(virtualTokenCount) virtual tokens and \(captionLength) caption columns; "
        + "expected at most \(text.positionCount) positions together"
    }
    return nil
  }
}
