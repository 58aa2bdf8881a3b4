/// Sizes and numerics of a GPT-2 text tower.
///
/// Coding keys are those of Hugging Face's `config.json`.
public struct GPTConfig: TextTowerConfig, Equatable {
  /// `gpt2`.
  public static let modelType = "gpt2"

  /// Number of token ids.
  public var vocabularySize: Int
  /// Number of positions.
  public var positionCount: Int
  /// Channels of a token.
  public var hiddenSize: Int
  /// Number of blocks.
  public var depth: Int
  /// Number of heads.
  public var headCount: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Whether attention scores are also divided by (block index + 1), as in BioMedLM.
  public var scalesAttentionByInverseLayerIndex: Bool
  /// Id that ends a text; also the padding.
  public var endOfTextID: Int
  /// Dropout of embeddings, attention weights and residual branches in training.
  public var dropout: Float
  /// Deviation of random start values.
  public var initializerRange: Float

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case positionCount = "n_positions"
    case hiddenSize = "n_embd"
    case depth = "n_layer"
    case headCount = "n_head"
    case layerNormEpsilon = "layer_norm_epsilon"
    case scalesAttentionByInverseLayerIndex = "scale_attn_by_inverse_layer_idx"
    case endOfTextID = "eos_token_id"
    case dropout = "resid_pdrop"
    case initializerRange = "initializer_range"
  }

  /// Makes a configuration.
  public init(
    vocabularySize: Int, positionCount: Int, hiddenSize: Int, depth: Int, headCount: Int,
    layerNormEpsilon: Float = 1e-5, scalesAttentionByInverseLayerIndex: Bool = false, endOfTextID: Int? = nil,
    dropout: Float = 0.1, initializerRange: Float = 0.02
  ) {
    self.vocabularySize = vocabularySize
    self.positionCount = positionCount
    self.hiddenSize = hiddenSize
    self.depth = depth
    self.headCount = headCount
    self.layerNormEpsilon = layerNormEpsilon
    self.scalesAttentionByInverseLayerIndex = scalesAttentionByInverseLayerIndex
    self.endOfTextID = endOfTextID ?? vocabularySize - 1
    self.dropout = dropout
    self.initializerRange = initializerRange
  }

  /// Fields that this tower reads but cannot vary.
  private enum FixedKeys: String, CodingKey {
    case activation = "activation_function"
    case attentionDropout = "attn_pdrop"
    case embeddingDropout = "embd_pdrop"
    case scalesAttention = "scale_attn_weights"
    case innerSize = "n_inner"
    case width = "n_embd"
  }

  /// Reads a configuration; what older `config.json` files leave out gets GPT-2's default.
  ///
  /// - Throws: `DecodingError` for a missing size, and for a setting that would silently be computed otherwise.
  public init(from decoder: any Decoder) throws {
    let fixed = try decoder.container(keyedBy: FixedKeys.self)
    func refuse(_ key: FixedKeys, _ text: String) -> DecodingError {
      .dataCorruptedError(forKey: key, in: fixed, debugDescription: text)
    }
    let activation = try fixed.decodeIfPresent(String.self, forKey: .activation) ?? "gelu_new"
    if !["gelu_new", "gelu_pytorch_tanh"].contains(activation) {
      throw refuse(.activation, "activation_function '\(activation)'; expected gelu_new")
    }
    let inner = try optionalSize(.innerSize, in: fixed)
    if let inner, try inner != 4 * size(.width, in: fixed) {
      throw refuse(.innerSize, "n_inner \(inner); expected null or 4 times n_embd")
    }
    if try fixed.decodeIfPresent(Bool.self, forKey: .scalesAttention) == false {
      throw refuse(.scalesAttention, "scale_attn_weights false; expected true")
    }
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let vocabulary = try size(.vocabularySize, in: values)
    self.init(
      vocabularySize: vocabulary, positionCount: try size(.positionCount, in: values),
      hiddenSize: try size(.hiddenSize, in: values),
      depth: try size(.depth, in: values),
      headCount: try size(.headCount, in: values),
      layerNormEpsilon: try values.decodeIfPresent(Float.self, forKey: .layerNormEpsilon) ?? 1e-5,
      scalesAttentionByInverseLayerIndex: try values.decodeIfPresent(
        Bool.self, forKey: .scalesAttentionByInverseLayerIndex) ?? false,
      endOfTextID: try optionalSize(.endOfTextID, in: values),
      dropout: try values.decodeIfPresent(Float.self, forKey: .dropout) ?? 0.1,
      initializerRange: try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02)
    for key in [FixedKeys.attentionDropout, .embeddingDropout] {
      let other = try fixed.decodeIfPresent(Float.self, forKey: key) ?? dropout
      if other != dropout {
        throw refuse(key, "\(key.rawValue) \(other); expected \(dropout) as resid_pdrop")
      }
    }
  }

  /// Id of the slots behind a caption: the one that ends a text.
  public var paddingID: Int {
    get { endOfTextID }
    set { endOfTextID = newValue }
  }

  /// A token sees no later token.
  public var isCausal: Bool { true }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    impossibleSize([
      ("vocab_size", vocabularySize), ("n_positions", positionCount), ("n_embd", hiddenSize),
      ("n_layer", depth), ("n_head", headCount),
    ]) ?? unevenHeads("text", hiddenSize, headCount) ?? idOutside("eos_token_id", endOfTextID, vocabularySize)
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any TextTower { GPTEncoder(self) }
}
