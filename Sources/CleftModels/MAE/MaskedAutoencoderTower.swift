import CleftNN
import CleftTensor

/// A vision transformer whose vector comes from the feature branch of a masked autoencoder's decoder: the image tower of
/// the BERT baseline.
///
/// Encoder, affine map, fixed positions, a few more blocks, norm, mean over the patches. The decoder's pixel branch is left
/// out: its output and its loss reach nothing.
///
/// - Shapes: images `[B, 3, S, S]`, S being the configuration's image size, → `[B, C]`.
/// - Initial state: linear weights are truncated normal; the published program draws them by Xavier's rule.
/// - Source: He et al. 2021, arXiv 2111.06377; keys are those of the published program.
public final class MaskedAutoencoderTower: ImageTower {
  @Parameter var classToken: Tensor
  @Buffer var positions: Tensor
  @Parameter var maskToken: Tensor
  @Buffer var decoderPositions: Tensor
  @Child("patch_embed") var patchEmbedding: PatchEmbedding
  @Children("blocks") var blocks: [VisionBlock]
  @Child("norm") var norm: LayerNorm
  @Child("decoder_embed") var decoderEmbedding: any UnaryLayer
  @Children("decoder_blocks_feature") var decoderBlocks: [VisionBlock]
  @Child("decoder_norm_feat") var decoderNorm: LayerNorm
  /// Sizes and numerics.
  public let config: MaskedAutoencoderConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false
  /// The fused projection, and for factors the end of the feed-forward part.
  public let adapterTargets = AdapterTargets(
    lowRank: ["qkv"], scaled: ["qkv", "mlp.fc2"], feedForward: ["mlp.fc2"])

  /// Makes a tower; the values come later, fixed positions apart.
  public init(_ config: MaskedAutoencoderConfig) {
    precondition(config.contradiction == nil, "mae: \(config.contradiction ?? "")")
    self.config = config
    let (width, decoderWidth) = (config.encoderSize, config.decoderSize)
    let rows = 1 + config.gridSide * config.gridSide
    let start = Initializer.truncatedNormal(deviation: config.initializerRange)
    _classToken = Parameter("cls_token", [1, 1, width], .normal(deviation: 0.02))
    _positions = Buffer("pos_embed", [1, rows, width], .zeros)
    _maskToken = Parameter("mask_token", [1, 1, decoderWidth], .normal(deviation: 0.02))
    _decoderPositions = Buffer("decoder_pos_embed", [1, rows, decoderWidth], .zeros)
    _patchEmbedding.wrappedValue = PatchEmbedding(width, patchSize: config.patchSize)
    func makeBlocks(_ count: Int, _ width: Int, _ heads: Int) -> [VisionBlock] {
      (0..<count).map { _ in
        VisionBlock(
          width: width, headCount: heads, mlpRatio: config.mlpRatio, feedForward: .mlp,
          usesLayerScale: false, layerNormEpsilon: config.layerNormEpsilon, dropPath: 0, initializer: start)
      }
    }
    _blocks.wrappedValue = makeBlocks(config.depth, width, config.headCount)
    _norm.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
    _decoderEmbedding.wrappedValue = Linear(width, decoderWidth, initializer: start)
    _decoderBlocks.wrappedValue = makeBlocks(config.decoderDepth, decoderWidth, config.decoderHeadCount)
    _decoderNorm.wrappedValue = LayerNorm(decoderWidth, epsilon: config.layerNormEpsilon)
    func fixedPositions(_ width: Int) -> Tensor {
      SineCosinePositions.table(
        side: config.gridSide, width: width, usesPublishedFrequencies: config.usesPublishedFrequencies)
    }
    positions = fixedPositions(width)
    decoderPositions = fixedPositions(decoderWidth)
  }

  /// Channels of an image's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// One vector for each image; `pooling` has nothing to choose from.
  public func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    vector(of: tokens(images, context), images.shape[0])
  }

  /// The mean of each image's patches: `[B·(1 + N), C]` → `[B, C]`.
  func vector(of tokens: Tensor, _ batch: Int) -> Tensor {
    let length = tokens.shape.rows / batch
    let patches = (0..<tokens.shape.rows).filter { $0 % length != 0 }
    return meanOverSequences(gatherRows(tokens, patches), count: batch)
  }

  /// The normalized tokens of each image behind the decoder, that of the class first: `[B, 3, S, S]` → `[B·(1 + N), C]`.
  func tokens(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    let (batch, side) = (images.shape[0], config.imageSizePixels)
    precondition(images.shape == [batch, 3, side, side], "mae: images [\(images.shape)] for \(side) pixels")
    let patchCount = config.gridSide * config.gridSide
    let seen = seenPatches(batch, patchCount, context)
    var x = assembleTokens(
      patches: patchEmbedding(images), positions: positions.reshaped([1 + patchCount, config.encoderSize]),
      classToken: classToken, registers: nil, batch: batch)
    if let seen {
      x = gatherRows(
        x,
        seen.enumerated().flatMap { image, patches in
          ([-1] + patches).map { image * (1 + patchCount) + 1 + $0 }
        })
    }
    x = norm(run(blocks, x, batch, context.split("encoder")), context)
    x = decoderInput(decoderEmbedding(x, context.split("decoder_embed")), batch, patchCount, seen)
    return decoderNorm(run(decoderBlocks, x, batch, context.split("decoder")), context)
  }

  private func run(_ blocks: [VisionBlock], _ x: Tensor, _ batch: Int, _ context: ForwardContext) -> Tensor {
    let layout = SequenceLayout.uniform(count: batch, length: x.shape.rows / batch)
    return blocks.enumerated().reduce(x) { x, entry in
      let inner = context.split("block", entry.offset)
      return recomputesBlocks
        ? recompute(x) { entry.element($0, layout, inner) } : entry.element(x, layout, inner)
    }
  }

  /// Every token in its place, mask tokens where the encoder saw none, positions added.
  private func decoderInput(_ embedded: Tensor, _ batch: Int, _ patchCount: Int, _ seen: [[Int]]?) -> Tensor {
    let length = embedded.shape.rows / batch
    let rows = (0..<batch).flatMap { image -> [EmbeddingRow] in
      var places = [Int?](repeating: nil, count: patchCount)
      for (place, patch) in (seen?[image] ?? Array(0..<patchCount)).enumerated() { places[patch] = place }
      let patches = places.enumerated().map { patch, place in
        place.map { EmbeddingRow(index: image * length + 1 + $0, position: 1 + patch) }
          ?? EmbeddingRow(index: 0, position: 1 + patch, isVirtual: true)
      }
      return [EmbeddingRow(index: image * length, position: 0)] + patches
    }
    let width = config.decoderSize
    return embed(
      rows, tokens: embedded, positions: decoderPositions.reshaped([1 + patchCount, width]),
      virtual: seen == nil ? nil : maskToken.reshaped([1, width]))
  }

  /// For each image the patches the encoder sees, another share for each image and pass; nil for all.
  private func seenPatches(_ batch: Int, _ patchCount: Int, _ context: ForwardContext) -> [[Int]]? {
    guard config.maskedFraction > 0, context.isTraining || config.masksInEvaluation else { return nil }
    let kept = max(1, Int(Double(patchCount) * (1 - Double(config.maskedFraction))))
    let key = context.key.split("masked patches")
    return (0..<batch).map { image in
      let draws = (0..<patchCount).map { key.uniform(at: image * patchCount + $0) }
      return Array((0..<patchCount).sorted { (draws[$0], $0) < (draws[$1], $1) }.prefix(kept))
    }
  }
}
