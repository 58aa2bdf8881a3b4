/// Sizes and numerics of a BERT text tower, Bio_ClinicalBERT for example.
///
/// Coding keys are those of Hugging Face's `config.json`; `cleft_…` keys are this program's own.
public struct BertConfig: TextTowerConfig, Equatable {
  /// `bert`.
  public static let modelType = "bert"

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
  /// Number of heads.
  public var headCount: Int
  /// Kinds of segments; 0 leaves their table out, as the published baseline does.
  public var segmentCount: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Id of the slots behind a caption.
  public var paddingID: Int
  /// Dropout of embeddings, attention weights and residual branches in training.
  public var dropout: Float
  /// Deviation of random start values.
  public var initializerRange: Float
  /// Whether every token is read at position 0, as the published baseline does by accident.
  public var readsAllAtPositionZero: Bool

  enum CodingKeys: String, CodingKey {
    case vocabularySize = "vocab_size"
    case positionCount = "max_position_embeddings"
    case hiddenSize = "hidden_size"
    case feedForwardSize = "intermediate_size"
    case depth = "num_hidden_layers"
    case headCount = "num_attention_heads"
    case segmentCount = "type_vocab_size"
    case layerNormEpsilon = "layer_norm_eps"
    case paddingID = "pad_token_id"
    case dropout = "hidden_dropout_prob"
    case initializerRange = "initializer_range"
    case readsAllAtPositionZero = "cleft_all_positions_zero"
  }

  /// Makes a configuration.
  public init(
    vocabularySize: Int, positionCount: Int = 512, hiddenSize: Int, feedForwardSize: Int? = nil, depth: Int,
    headCount: Int, segmentCount: Int = 2, layerNormEpsilon: Float = 1e-12, paddingID: Int = 0,
    dropout: Float = 0.1, initializerRange: Float = 0.02, readsAllAtPositionZero: Bool = false
  ) {
    self.vocabularySize = vocabularySize
    self.positionCount = positionCount
    self.hiddenSize = hiddenSize
    self.feedForwardSize = feedForwardSize ?? 4 * hiddenSize
    self.depth = depth
    self.headCount = headCount
    self.segmentCount = segmentCount
    self.layerNormEpsilon = layerNormEpsilon
    self.paddingID = paddingID
    self.dropout = dropout
    self.initializerRange = initializerRange
    self.readsAllAtPositionZero = readsAllAtPositionZero
  }

  /// Fields that this tower reads but cannot vary.
  private enum FixedKeys: String, CodingKey {
    case activation = "hidden_act"
    case attentionDropout = "attention_probs_dropout_prob"
    case positions = "position_embedding_type"
  }

  /// Reads a configuration; what older `config.json` files leave out gets BERT's default.
  ///
  /// - Throws: `DecodingError` for a missing size, and for a setting that would silently be computed otherwise.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      vocabularySize: try size(.vocabularySize, in: values),
      positionCount: try optionalSize(.positionCount, in: values) ?? 512,
      hiddenSize: try size(.hiddenSize, in: values),
      feedForwardSize: try optionalSize(.feedForwardSize, in: values),
      depth: try size(.depth, in: values),
      headCount: try size(.headCount, in: values),
      segmentCount: try optionalSize(.segmentCount, in: values) ?? 2,
      layerNormEpsilon: try values.decodeIfPresent(Float.self, forKey: .layerNormEpsilon) ?? 1e-12,
      paddingID: try tokenID(.paddingID, in: values) ?? 0,
      dropout: try values.decodeIfPresent(Float.self, forKey: .dropout) ?? 0.1,
      initializerRange: try values.decodeIfPresent(Float.self, forKey: .initializerRange) ?? 0.02,
      readsAllAtPositionZero: try values.decodeIfPresent(Bool.self, forKey: .readsAllAtPositionZero) ?? false)
    let fixed = try decoder.container(keyedBy: FixedKeys.self)
    let activation = try fixed.decodeIfPresent(String.self, forKey: .activation) ?? "gelu"
    if activation != "gelu" { throw unsupported(.activation, in: fixed, activation, expected: "gelu") }
    let positions = try fixed.decodeIfPresent(String.self, forKey: .positions) ?? "absolute"
    if positions != "absolute" { throw unsupported(.positions, in: fixed, positions, expected: "absolute") }
    let other = try fixed.decodeIfPresent(Float.self, forKey: .attentionDropout) ?? dropout
    if other != dropout {
      throw unsupported(
        .attentionDropout, in: fixed, other, expected: "\(dropout) as hidden_dropout_prob")
    }
  }

  /// Every token sees every other.
  public var isCausal: Bool { false }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    impossibleSize([
      ("vocab_size", vocabularySize), ("max_position_embeddings", positionCount), ("hidden_size", hiddenSize),
      ("intermediate_size", feedForwardSize), ("num_hidden_layers", depth),
      ("num_attention_heads", headCount),
    ]) ?? unevenHeads("text", hiddenSize, headCount) ?? idOutside("pad_token_id", paddingID, vocabularySize)
      ?? ((0...65_536).contains(segmentCount)
        ? nil : "type_vocab_size \(segmentCount); expected 0 ... 65536")
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any TextTower { BertEncoder(self) }
}
