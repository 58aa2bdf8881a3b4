/// Sizes and names of a vision transformer.
public struct VisionTransformerConfig: ImageTowerConfig, Equatable {
  /// `vit`.
  public static let kind = "vit"

  /// How the checkpoint names class token, registers and positions.
  public enum TokenNames: String, Codable, Sendable {
    /// DINOv2's hub models: `register_tokens`, a position row for the class token, an unused `mask_token`.
    case hub
    /// timm's models with registers: `reg_token`, no position row for the class token.
    case timm
    /// The first vision transformers: a position row for the class token, nothing else.
    case classic
  }

  /// What the feed-forward part is made of.
  public enum FeedForward: String, Codable, Sendable {
    /// Two linear layers with exact GELU between.
    case mlp
    /// `w3(SiLU(first half of w12) ⊙ second half)`, as in DINOv2's largest model.
    case swiglu
  }

  /// What leaves the tower.
  public enum Output: String, Codable, Sendable {
    /// DINOv2: the normalized class token, or the mean of all tokens before the final norm.
    case tokens
    /// MGCA: class token or mean of all tokens, after the final norm.
    case normalizedTokens
    /// MRM: the mean of the patches, then the final norm (`fc_norm`).
    case patchMean
  }

  /// Channels of a token.
  public var hiddenSize: Int
  /// Number of blocks.
  public var depth: Int
  /// Number of heads.
  public var headCount: Int
  /// Side of a patch in pixels.
  public var patchSize: Int
  /// Number of register tokens.
  public var registerCount: Int
  /// Hidden channels of the feed-forward part as a multiple of `hiddenSize`.
  public var mlpRatio: Int
  /// Hidden channels of the feed-forward part; nil follows from `mlpRatio`.
  public var feedForwardSize: Int?
  /// What the feed-forward part is made of.
  public var feedForward: FeedForward
  /// Whether residual branches are scaled per channel.
  public var usesLayerScale: Bool
  /// Probability of leaving out a residual branch of the last block in training; smaller before it.
  public var dropPath: Float
  /// Share of the patches that a pass leaves out (`--img_mask_ratio`), 0 ..< 1.
  public var maskedFraction: Float
  /// Whether patches are left out in evaluation too, as published.
  public var masksInEvaluation: Bool
  /// What leaves the tower.
  public var output: Output
  /// Side of the stored grid of positions.
  public var positionGrid: Int
  /// Side of the images the tower is used with, in pixels.
  public var imageSizePixels: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Names in the checkpoint.
  public var tokenNames: TokenNames
  /// Deviation of random start values.
  public var initializerRange: Float

  /// Makes a configuration.
  public init(
    hiddenSize: Int, depth: Int, headCount: Int, patchSize: Int = 14, registerCount: Int = 4,
    mlpRatio: Int = 4, feedForwardSize: Int? = nil, feedForward: FeedForward = .mlp,
    usesLayerScale: Bool = true, dropPath: Float = 0, maskedFraction: Float = 0,
    masksInEvaluation: Bool = false, output: Output = .tokens, positionGrid: Int, imageSizePixels: Int,
    layerNormEpsilon: Float = 1e-6, tokenNames: TokenNames = .hub, initializerRange: Float = 0.02
  ) {
    self.hiddenSize = hiddenSize
    self.depth = depth
    self.headCount = headCount
    self.patchSize = patchSize
    self.registerCount = registerCount
    self.mlpRatio = mlpRatio
    self.feedForwardSize = feedForwardSize
    self.feedForward = feedForward
    self.usesLayerScale = usesLayerScale
    self.dropPath = dropPath
    self.maskedFraction = maskedFraction
    self.masksInEvaluation = masksInEvaluation
    self.output = output
    self.positionGrid = positionGrid
    self.imageSizePixels = imageSizePixels
    self.layerNormEpsilon = layerNormEpsilon
    self.tokenNames = tokenNames
    self.initializerRange = initializerRange
  }

  /// Reads a configuration; what is left out is DINOv2's.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
      try values.decodeIfPresent(Value.self, forKey: key) ?? standard
    }
    self.init(
      hiddenSize: try values.decode(Int.self, forKey: .hiddenSize),
      depth: try values.decode(Int.self, forKey: .depth),
      headCount: try values.decode(Int.self, forKey: .headCount), patchSize: try value(.patchSize, 14),
      registerCount: try value(.registerCount, 4), mlpRatio: try value(.mlpRatio, 4),
      feedForwardSize: try values.decodeIfPresent(Int.self, forKey: .feedForwardSize),
      feedForward: try value(.feedForward, .mlp), usesLayerScale: try value(.usesLayerScale, true),
      dropPath: try value(.dropPath, 0), maskedFraction: try value(.maskedFraction, 0),
      masksInEvaluation: try value(.masksInEvaluation, false), output: try value(.output, .tokens),
      positionGrid: try values.decode(Int.self, forKey: .positionGrid),
      imageSizePixels: try values.decode(Int.self, forKey: .imageSizePixels),
      layerNormEpsilon: try value(.layerNormEpsilon, 1e-6), tokenNames: try value(.tokenNames, .hub),
      initializerRange: try value(.initializerRange, 0.02))
  }

  /// Hidden channels of the feed-forward part in use.
  public var innerSize: Int {
    if let feedForwardSize { return feedForwardSize }
    return feedForward == .mlp ? mlpRatio * hiddenSize : (mlpRatio * hiddenSize * 2 / 3 + 7) / 8 * 8
  }

  /// Whether the tower has tokens to take the mean of.
  public var hasTokens: Bool { output != .patchMean }

  /// DINOv2's towers have one, the baselines' do not.
  public var hasLocalHead: Bool { output == .tokens }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    let sizes = [
      ("hidden size", hiddenSize), ("depth", depth), ("heads", headCount), ("patch size", patchSize),
      ("mlp ratio", mlpRatio), ("position grid", positionGrid), ("image size", imageSizePixels),
    ]
    if let wrong = impossibleSize(sizes) ?? unevenHeads("image", hiddenSize, headCount) { return wrong }
    if let wrong = impossibleSize([("feed-forward size", innerSize)]) { return wrong }
    if !(0...65_536).contains(registerCount) { return "\(registerCount) registers; expected 0 ... 65536" }
    if !(dropPath >= 0 && dropPath < 1) { return "drop path \(dropPath); expected 0 ..< 1" }
    if !(maskedFraction >= 0 && maskedFraction < 1) {
      return "mask ratio \(maskedFraction); expected 0 ..< 1"
    }
    if imageSizePixels % patchSize != 0 {
      return "image size \(imageSizePixels); expected a multiple of the patch size \(patchSize)"
    }
    return nil
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any ImageTower { VisionTransformer(self) }
}
