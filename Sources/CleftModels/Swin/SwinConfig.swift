/// Sizes of a Swin transformer; the defaults are Swin-T's at 224 pixels.
public struct SwinConfig: ImageTowerConfig, Equatable {
  /// `swin`.
  public static let kind = "swin"
  /// What MedCLIP's model has behind the backbone.
  public static let ignoredKeys: [(prefix: String, reason: String)] = [
    (prefix: "projection_head.", reason: "MedCLIP's own projection, which CLEFT leaves out")
  ]

  /// Channels of a token in the first stage; they double from stage to stage.
  public var embeddingSize: Int
  /// Blocks of each stage.
  public var stageDepths: [Int]
  /// Heads of each stage.
  public var stageHeadCounts: [Int]
  /// Side of a window in tokens.
  public var windowSize: Int
  /// Side of a patch in pixels.
  public var patchSize: Int
  /// Hidden channels of the feed-forward part as a multiple of the stage's channels.
  public var mlpRatio: Int
  /// Probability of leaving out an attention branch in training.
  public var dropPath: Float
  /// Whether that probability grows from 0 at the first block, as Swin's authors have it.
  ///
  /// Off, every block takes `dropPath`, as in transformers 4.35, which published CLEFT ran.
  public var growsDropPath: Bool
  /// Side of the images the tower is used with, in pixels.
  public var imageSizePixels: Int
  /// Added to the variance by the norms.
  public var layerNormEpsilon: Float
  /// Deviation of random start values.
  public var initializerRange: Float

  /// Makes a configuration.
  public init(
    embeddingSize: Int = 96, stageDepths: [Int] = [2, 2, 6, 2], stageHeadCounts: [Int] = [3, 6, 12, 24],
    windowSize: Int = 7, patchSize: Int = 4, mlpRatio: Int = 4, dropPath: Float = 0.1,
    growsDropPath: Bool = false, imageSizePixels: Int = 224, layerNormEpsilon: Float = 1e-5,
    initializerRange: Float = 0.02
  ) {
    self.embeddingSize = embeddingSize
    self.stageDepths = stageDepths
    self.stageHeadCounts = stageHeadCounts
    self.windowSize = windowSize
    self.patchSize = patchSize
    self.mlpRatio = mlpRatio
    self.dropPath = dropPath
    self.growsDropPath = growsDropPath
    self.imageSizePixels = imageSizePixels
    self.layerNormEpsilon = layerNormEpsilon
    self.initializerRange = initializerRange
  }

  /// Reads a configuration; what is left out is Swin-T's.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let standard = SwinConfig()
    func value<Value: Decodable>(_ key: CodingKeys, _ standard: Value) throws -> Value {
      try values.decodeIfPresent(Value.self, forKey: key) ?? standard
    }
    self.init(
      embeddingSize: try value(.embeddingSize, standard.embeddingSize),
      stageDepths: try value(.stageDepths, standard.stageDepths),
      stageHeadCounts: try value(.stageHeadCounts, standard.stageHeadCounts),
      windowSize: try value(.windowSize, standard.windowSize),
      patchSize: try value(.patchSize, standard.patchSize),
      mlpRatio: try value(.mlpRatio, standard.mlpRatio), dropPath: try value(.dropPath, standard.dropPath),
      growsDropPath: try value(.growsDropPath, standard.growsDropPath),
      imageSizePixels: try value(.imageSizePixels, standard.imageSizePixels),
      layerNormEpsilon: try value(.layerNormEpsilon, standard.layerNormEpsilon),
      initializerRange: try value(.initializerRange, standard.initializerRange))
  }

  /// Channels of an image's vector: those of the last stage.
  public var hiddenSize: Int { embeddingSize << max(stageDepths.count - 1, 0) }

  /// A vector tower has no tokens to choose from.
  public var hasTokens: Bool { false }

  /// Tokens along one side of an image in a stage.
  func gridSide(stage: Int) -> Int { (imageSizePixels / patchSize) >> stage }

  /// Probability of leaving out the attention branch of block `index`, counted over all stages.
  func dropPath(block index: Int) -> Float {
    guard growsDropPath else { return dropPath }
    return dropPath * Float(index) / Float(max(stageDepths.reduce(0, +) - 1, 1))
  }

  /// What makes the numbers impossible together, nil if nothing does.
  public var contradiction: String? {
    let sizes = [
      ("embedding size", embeddingSize), ("window", windowSize), ("patch size", patchSize),
      ("mlp ratio", mlpRatio), ("image size", imageSizePixels),
    ]
    let lists = stageDepths.map { ("stage depth", $0) } + stageHeadCounts.map { ("stage heads", $0) }
    if let wrong = impossibleSize(sizes + lists) { return wrong }
    if stageDepths.isEmpty || stageDepths.count > 8 || stageDepths.count != stageHeadCounts.count {
      return "\(stageDepths.count) stage depths and \(stageHeadCounts.count) stage heads; "
        + "expected as many of each, 1 ... 8"
    }
    if !(dropPath >= 0 && dropPath < 1) { return "drop path \(dropPath); expected 0 ..< 1" }
    if imageSizePixels % patchSize != 0 {
      return "image size \(imageSizePixels); expected a multiple of the patch size \(patchSize)"
    }
    return stageContradiction
  }

  private var stageContradiction: String? {
    for (stage, heads) in stageHeadCounts.enumerated() {
      if let wrong = unevenHeads("image", embeddingSize << stage, heads) { return wrong }
      let side = gridSide(stage: stage)
      if side < windowSize || side % windowSize != 0 {
        return "\(side) tokens a side in stage \(stage); expected a multiple of the window \(windowSize)"
      }
      if stage + 1 < stageDepths.count && side % 2 != 0 {
        return "\(side) tokens a side in stage \(stage); expected an even number to merge"
      }
    }
    return nil
  }

  /// Makes the tower; the values come later.
  public func makeTower() -> any ImageTower { SwinTransformer(self) }
}
