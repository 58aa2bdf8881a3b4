/// Sizes of the vision transformer with a masked autoencoder's decoder behind it; the defaults are the published ones.
public struct MaskedAutoencoderConfig: ImageTowerConfig, Equatable {
  /// `mae`.
  public static let kind = "mae"
  /// The branch that draws pixels, and DeiT's classifier.
  public static let ignoredKeys: [(prefix: String, reason: String)] = [
    (prefix: "decoder_blocks.", reason: "the pixel branch, whose output and loss nothing uses"),
    (prefix: "decoder_norm.", reason: "the pixel branch, whose output and loss nothing uses"),
    (prefix: "decoder_pred_.", reason: "the pixel branch, whose output and loss nothing uses"),
    (prefix: "head.", reason: "DeiT's classifier"),
  ]

  /// Channels of an encoder token.
  public var encoderSize: Int
  /// Number of encoder blocks.
  public var depth: Int
  /// Number of encoder heads.
  public var headCount: Int
  /// Channels of a decoder token.
  public var decoderSize: Int
  /// Number of decoder blocks.
  public var decoderDepth: Int
  /// Number of decoder heads.
  public var decoderHeadCount: Int
  /// Side of a patch in pixels.
  public var patchSize: Int
  /// Hidden channels of the feed-forward parts as a multiple of the block's channels.
  public var mlpRatio: Int
  /// Share of the patches that the encoder does not see (`--img_mask_ratio`), 0 ..< 1.
  public var maskedFraction: Float
  /// Whether patches are hidden in evaluation too, as published.
  public var masksInEvaluation: Bool
  /// Whether fixed positions have the published frequencies `10000^(-i/(2m))` instead of `10000^(-2i/m)` (quirk Q27).
  public var usesPublishedFrequencies: Bool
  /// Side of the images the tower is used with, in pixels.
  public var imageSizePixels: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Deviation of random start values.
  public var initializerRange: Float

  /// Makes a configuration.
  public init(
    encoderSize: Int = 768, depth: Int = 12, headCount: Int = 12, decoderSize: Int = 768,
    decoderDepth: Int = 2, decoderHeadCount: Int = 6, patchSize: Int = 16, mlpRatio: Int = 4,
    maskedFraction: Float = 0, masksInEvaluation: Bool = false, usesPublishedFrequencies: Bool = true,
    imageSizePixels: Int = 224,
    layerNormEpsilon: Float = 1e-6, initializerRange: Float = 0.02
  ) {
    self.encoderSize = encoderSize
    self.depth = depth
    self.headCount = headCount
    self.decoderSize = decoderSize
    self.decoderDepth = decoderDepth
    self.decoderHeadCount = decoderHeadCount
    self.patchSize = patchSize
    self.mlpRatio = mlpRatio
    self.maskedFraction = maskedFraction
    self.masksInEvaluation = masksInEvaluation
    self.usesPublishedFrequencies = usesPublishedFrequencies
    self.imageSizePixels = imageSizePixels
    self.layerNormEpsilon = layerNormEpsilon
    self.initializerRange = initializerRange
  }

  /// Reads a configuration; what is left out is the published size's.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let standard = MaskedAutoencoderConfig()
    func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
      try values.decodeIfPresent(Value.self, forKey: key) ?? standard
    }
    self.init(
      encoderSize: try value(.encoderSize, standard.encoderSize), depth: try value(.depth, standard.depth),
      headCount: try value(.headCount, standard.headCount),
      decoderSize: try value(.decoderSize, standard.decoderSize),
      decoderDepth: try value(.decoderDepth, standard.decoderDepth),
      decoderHeadCount: try value(.decoderHeadCount, standard.decoderHeadCount),
      patchSize: try value(.patchSize, standard.patchSize),
      mlpRatio: try value(.mlpRatio, standard.mlpRatio),
      maskedFraction: try value(.maskedFraction, standard.maskedFraction),
      masksInEvaluation: try value(.masksInEvaluation, standard.masksInEvaluation),
      usesPublishedFrequencies: try value(.usesPublishedFrequencies, standard.usesPublishedFrequencies),
      imageSizePixels: try value(.imageSizePixels, standard.imageSizePixels),
      layerNormEpsilon: try value(.layerNormEpsilon, standard.layerNormEpsilon),
      initializerRange: try value(.initializerRange, standard.initializerRange))
  }

  /// Channels of an image's vector: those of the decoder.
  public var hiddenSize: Int { decoderSize }

  /// The mean of the patches is the only vector.
  public var hasTokens: Bool { false }

  /// Patches along one side of an image.
  var gridSide: Int { imageSizePixels / patchSize }

  /// The baseline's tower has one.
  public var hasLocalHead: Bool { true }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    let sizes = [
      ("encoder size", encoderSize), ("depth", depth), ("heads", headCount), ("decoder size", decoderSize),
      ("decoder depth", decoderDepth), ("decoder heads", decoderHeadCount), ("patch size", patchSize),
      ("mlp ratio", mlpRatio), ("image size", imageSizePixels),
    ]
    let heads = { unevenHeads("image", encoderSize, headCount) }
    let decoderHeads = { unevenHeads("image", decoderSize, decoderHeadCount) }
    if let wrong = impossibleSize(sizes) ?? heads() ?? decoderHeads() { return wrong }
    for size in [encoderSize, decoderSize] where size % 4 != 0 {
      return "\(size) channels; expected a multiple of 4 for sine and cosine along two axes"
    }
    if !(maskedFraction >= 0 && maskedFraction < 1) {
      return "mask ratio \(maskedFraction); expected 0 ..< 1"
    }
    if imageSizePixels % patchSize != 0 {
      return "image size \(imageSizePixels); expected a multiple of the patch size \(patchSize)"
    }
    return nil
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any ImageTower { MaskedAutoencoderTower(self) }
}
