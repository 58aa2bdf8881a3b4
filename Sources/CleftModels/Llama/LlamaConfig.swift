/// Sizes and numerics of a LLaMA text tower, meditron-7b for example.
///
/// Coding keys are those of Hugging Face's `config.json`.
public struct LlamaConfig: TextTowerConfig, Equatable {
  /// `llama`.
  public static let modelType = "llama"

  /// Number of token ids.
  public var vocabularySize: Int
  /// Number of positions.
  public var positionCount: Int
  /// Channels of a token.
  public var hiddenSize: Int
  /// Channels inside the feed-forward part.
  public var feedForwardSize: Int
  /// Number of blocks.
  public var depth: Int
  /// Number of heads of queries.
  public var headCount: Int
  /// Number of heads of keys and values, shared by groups of query heads.
  public var keyValueHeadCount: Int
  /// Channels of a head.
  public var headSize: Int
  /// Added to the mean square by the norms.
  public var normEpsilon: Float
  /// Base of the rotary angles.
  public var rotaryBase: Float
  /// Id of the slots behind a caption: the one that ends a text.
  public var paddingID: Int
  /// Deviation of random start values.
  public var initializerRange: Float
  /// LLaMA has no dropout; a test may set one on its attention.
  public var dropout: Float

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case positionCount = "max_position_embeddings"
    case hiddenSize = "hidden_size"
    case feedForwardSize = "intermediate_size"
    case depth = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case keyValueHeadCount = "num_key_value_heads"
    case headSize = "head_dim"
    case normEpsilon = "rms_norm_eps"
    case rotaryBase = "rope_theta"
    case paddingID = "eos_token_id"
    case initializerRange = "initializer_range"
    case dropout = "attention_dropout"
  }

  /// Makes a configuration; nil takes LLaMA's rule.
  public init(
    vocabularySize: Int, positionCount: Int = 2048, hiddenSize: Int, feedForwardSize: Int, depth: Int,
    headCount: Int, keyValueHeadCount: Int? = nil, headSize: Int? = nil, normEpsilon: Float = 1e-5,
    rotaryBase: Float = 10_000, paddingID: Int = 2, initializerRange: Float = 0.02, dropout: Float = 0
  ) {
    self.vocabularySize = vocabularySize
    self.positionCount = positionCount
    self.hiddenSize = hiddenSize
    self.feedForwardSize = feedForwardSize
    self.depth = depth
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? hiddenSize / max(headCount, 1)
    self.normEpsilon = normEpsilon
    self.rotaryBase = rotaryBase
    self.paddingID = paddingID
    self.initializerRange = initializerRange
    self.dropout = dropout
  }

  /// Fields that this tower reads but cannot vary.
  private enum FixedKeys: String, CodingKey {
    case activation = "hidden_act"
    case attentionBias = "attention_bias"
    case feedForwardBias = "mlp_bias"
    case scaling = "rope_scaling"
    case rotary = "rope_parameters"
  }

  /// How newer files give the rotary angles.
  private struct RotaryParameters: Decodable {
    var rope_theta: Float?
    var rope_type: String?
    var type: String?
  }

  /// Reads a configuration; what older `config.json` files leave out gets LLaMA's default.
  ///
  /// - Throws: `DecodingError` for a missing size, and for a setting that would silently be computed otherwise.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let rotary = try Self.rotaryBase(try decoder.container(keyedBy: FixedKeys.self))
    self.init(
      vocabularySize: try size(.vocabularySize, in: values),
      positionCount: try optionalSize(.positionCount, in: values) ?? 2048,
      hiddenSize: try size(.hiddenSize, in: values),
      feedForwardSize: try size(.feedForwardSize, in: values),
      depth: try size(.depth, in: values),
      headCount: try size(.headCount, in: values),
      keyValueHeadCount: try optionalSize(.keyValueHeadCount, in: values),
      headSize: try optionalSize(.headSize, in: values),
      normEpsilon: try values.decodeIfPresent(Float.self, forKey: .normEpsilon) ?? 1e-6,
      rotaryBase: try rotary ?? values.decodeIfPresent(Float.self, forKey: .rotaryBase) ?? 10_000,
      paddingID: try tokenID(.paddingID, in: values) ?? 2,
      initializerRange: try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02,
      dropout: try values.decodeIfPresent(Float.self, forKey: .dropout) ?? 0)
  }

  private static func rotaryBase(_ fixed: KeyedDecodingContainer<FixedKeys>) throws -> Float? {
    let activation = try fixed.decodeIfPresent(String.self, forKey: .activation) ?? "silu"
    if activation != "silu" { throw unsupported(.activation, in: fixed, activation, expected: "silu") }
    for key in [FixedKeys.attentionBias, .feedForwardBias]
    where try fixed.decodeIfPresent(Bool.self, forKey: key) == true {
      throw unsupported(key, in: fixed, true, expected: "false")
    }
    var base: Float?
    for key in [FixedKeys.scaling, .rotary] {
      guard let rotary = try fixed.decodeIfPresent(RotaryParameters.self, forKey: key) else { continue }
      let kind = rotary.rope_type ?? rotary.type ?? "default"
      if kind != "default" { throw unsupported(key, in: fixed, kind, expected: "default") }
      base = rotary.rope_theta ?? base
    }
    return base
  }

  /// A token sees no later token.
  public var isCausal: Bool { true }

  /// Channels of the keys of one layer.
  var keyWidth: Int { keyValueHeadCount * headSize }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    let sizes = [
      ("vocab_size", vocabularySize), ("max_position_embeddings", positionCount), ("hidden_size", hiddenSize),
      ("intermediate_size", feedForwardSize), ("num_hidden_layers", depth),
      ("num_attention_heads", headCount), ("num_key_value_heads", keyValueHeadCount), ("head_dim", headSize),
    ]
    if let wrong = impossibleSize(sizes) { return wrong }
    if headCount % keyValueHeadCount != 0 {
      return "num_key_value_heads \(keyValueHeadCount); expected a divisor of \(headCount) heads"
    }
    if headSize % 2 != 0 { return "head_dim \(headSize); expected an even number" }
    return idOutside("eos_token_id", paddingID, vocabularySize)
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any TextTower { LlamaEncoder(self) }
}
