import CleftNN
import CleftTensor

/// Patches as tokens, normalized.
public final class SwinEmbeddings: Module {
  /// `[C, 3, P, P]`.
  @Parameter var weight: Tensor
  /// `[C]`.
  @Parameter var bias: Tensor
  @Child("norm") var norm: LayerNorm
  let patchSize: Int

  init(_ config: SwinConfig) {
    patchSize = config.patchSize
    let start = Initializer.truncatedNormal(deviation: config.initializerRange)
    _weight = Parameter(
      "patch_embeddings.projection.weight", [config.embeddingSize, 3, patchSize, patchSize], start)
    _bias = Parameter("patch_embeddings.projection.bias", [config.embeddingSize], .zeros)
    _norm.wrappedValue = LayerNorm(config.embeddingSize, epsilon: 1e-5)
  }

  /// `[B, 3, H, W]` → `[B·N, C]`, tokens row by row.
  func callAsFunction(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    let width = weight.shape[0]
    let patches = patchify(images, size: patchSize)
    return norm(linear(patches, weight.reshaped([width, weight.count / width]), bias), context)
  }
}

/// Joins squares of four tokens into one with twice the channels.
///
/// - Shapes: `[B·S·S, C]` → `[B·S/2·S/2, 2·C]`.
public final class SwinMerging: Module {
  @Child("norm") var norm: LayerNorm
  @Child("reduction") var reduction: any UnaryLayer
  let side: Int

  init(_ config: SwinConfig, stage: Int) {
    side = config.gridSide(stage: stage)
    let width = config.embeddingSize << stage
    _norm.wrappedValue = LayerNorm(4 * width, epsilon: 1e-5)
    _reduction.wrappedValue = Linear(
      4 * width, 2 * width, bias: false, initializer: .truncatedNormal(deviation: config.initializerRange))
  }

  /// Of a square, the channels of the left column come first, upper token before lower.
  func callAsFunction(_ x: Tensor, batch: Int, _ context: ForwardContext) -> Tensor {
    let half = side / 2
    let rows = (0..<batch * half * half).flatMap { index -> [Int] in
      let (image, y, x) = (index / (half * half), index / half % half, index % half)
      let corner = (image * side + 2 * y) * side + 2 * x
      return [corner, corner + side, corner + 1, corner + side + 1]
    }
    let squares = gatherRows(x, rows).reshaped([batch * half * half, 4 * x.shape.last])
    return reduction(norm(squares, context), context.split("reduction"))
  }
}

/// Blocks at one resolution, and the way to the next.
public final class SwinStage: Module {
  @Children("blocks") var blocks: [SwinBlock]
  @Child("downsample") var merging: SwinMerging?

  init(_ config: SwinConfig, stage: Int) {
    let before = config.stageDepths.prefix(stage).reduce(0, +)
    _blocks.wrappedValue = (0..<config.stageDepths[stage]).map {
      SwinBlock(config, stage: stage, index: $0, number: before + $0)
    }
    _merging.wrappedValue = stage + 1 < config.stageDepths.count ? SwinMerging(config, stage: stage) : nil
  }
}

/// A Swin transformer without classifier: MedCLIP's image tower.
///
/// - Shapes: images `[B, 3, S, S]`, S being the configuration's image size, → `[B, C]`, the mean of all tokens after the
///   final norm.
/// - Source: Liu et al. 2021, arXiv 2103.14030. Keys and numerics equal Hugging Face's `SwinModel`.
public final class SwinTransformer: ImageTower {
  @Child("embeddings") var embeddings: SwinEmbeddings
  @Children("encoder.layers") var stages: [SwinStage]
  @Child("layernorm") var norm: LayerNorm
  /// Sizes and numerics.
  public let config: SwinConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// Where PEFT puts adapters in models with these names.
  public let adapterTargets = AdapterTargets(
    lowRank: ["query", "value"], scaled: ["key", "value", "output.dense"], feedForward: ["output.dense"])

  /// Makes a tower; the values come later.
  public init(_ config: SwinConfig) {
    precondition(config.contradiction == nil, "swin: \(config.contradiction ?? "")")
    self.config = config
    _embeddings.wrappedValue = SwinEmbeddings(config)
    _stages.wrappedValue = config.stageDepths.indices.map { SwinStage(config, stage: $0) }
    _norm.wrappedValue = LayerNorm(config.hiddenSize, epsilon: config.layerNormEpsilon)
  }

  /// Channels of an image's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// One vector for each image; `pooling` has nothing to choose from.
  public func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    let (batch, side) = (images.shape[0], config.imageSizePixels)
    precondition(images.shape == [batch, 3, side, side], "swin: images [\(images.shape)] for \(side) pixels")
    var x = embeddings(images, context)
    for (number, stage) in stages.enumerated() {
      let outer = context.split("stage", number)
      for (index, block) in stage.blocks.enumerated() {
        let inner = outer.split("block", index)
        x =
          recomputesBlocks
          ? recompute(x) { block($0, batch: batch, inner) } : block(x, batch: batch, inner)
      }
      if let merging = stage.merging { x = merging(x, batch: batch, outer.split("merging")) }
    }
    return meanOverSequences(norm(x, context), count: batch)
  }
}
