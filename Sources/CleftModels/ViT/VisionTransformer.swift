import CleftNN
import CleftTensor

/// Convolution with stride equal to its kernel, as a product over flattened patches.
public final class PatchEmbedding: Module {
  /// `[C, 3, P, P]`.
  @Parameter var weight: Tensor
  /// `[C]`.
  @Parameter var bias: Tensor
  let patchSize: Int

  init(_ width: Int, patchSize: Int) {
    self.patchSize = patchSize
    let start = Initializer.linear(fanIn: 3 * patchSize * patchSize)
    _weight = Parameter("proj.weight", [width, 3, patchSize, patchSize], start)
    _bias = Parameter("proj.bias", [width], start)
  }

  /// `[B, 3, H, W]` → `[B·N, C]`, patches row by row.
  func callAsFunction(_ images: Tensor) -> Tensor {
    let width = weight.shape[0]
    return linear(patchify(images, size: patchSize), weight.reshaped([width, weight.count / width]), bias)
  }
}

/// DINOv2's vision transformer, with or without register tokens.
///
/// - Shapes: images `[B, 3, H, W]`, multiples of the patch size, → tokens `[B·T, C]`, T = 1 + R + N in the order class,
///   registers, patches.
/// - Source: Oquab et al. 2023, arXiv 2304.07193; Darcet et al. 2023, arXiv 2309.16588.
public final class VisionTransformer: Module {
  @Parameter var classToken: Tensor
  @Parameter var positions: Tensor
  @OptionalParameter var registers: Tensor?
  @OptionalParameter var maskToken: Tensor?
  @Child("patch_embed") var patchEmbedding: PatchEmbedding
  @Children("blocks") var blocks: [VisionBlock]
  @Child("norm") var norm: LayerNorm
  /// Sizes and names.
  public let config: VisionTransformerConfig
  /// Whether blocks keep only their inputs and are computed again in backward.
  public var recomputesBlocks = false

  /// Makes a tower; the values come later.
  public init(_ config: VisionTransformerConfig) {
    self.config = config
    let width = config.hiddenSize
    let isHub = config.tokenNames == .hub
    let rows = config.positionGrid * config.positionGrid + (isHub ? 1 : 0)
    _classToken = Parameter("cls_token", [1, 1, width], .normal(deviation: 1e-6))
    _positions = Parameter("pos_embed", [1, rows, width], .truncatedNormal(deviation: 0.02))
    _registers = OptionalParameter(
      isHub ? "register_tokens" : "reg_token", [1, config.registerCount, width], .normal(deviation: 1e-6),
      isPresent: config.registerCount > 0)
    _maskToken = OptionalParameter("mask_token", [1, width], .zeros, isPresent: isHub)
    _patchEmbedding.wrappedValue = PatchEmbedding(width, patchSize: config.patchSize)
    _blocks.wrappedValue = (0..<config.depth).map { _ in VisionBlock(config) }
    _norm.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
  }

  /// All tokens after the last block, before the final norm.
  public func prenormTokens(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    let batch = images.shape[0]
    let (height, width) = (images.shape[2] / config.patchSize, images.shape[3] / config.patchSize)
    var x = assembleTokens(
      patches: patchEmbedding(images), positions: resampledPositions(height: height, width: width),
      classToken: classToken, registers: registers, batch: batch)
    let length = x.shape.rows / batch
    let shape: Shape = [batch, length, config.hiddenSize]
    context.taps?.record("vit_tokens_in", x.reshaped(shape))
    let layout = SequenceLayout.uniform(count: batch, length: length)
    for (index, block) in blocks.enumerated() {
      let inner = context.split("block", index)
      x = recomputesBlocks ? recompute(x) { block($0, layout, inner) } : block(x, layout, inner)
      context.taps?.record("vit_block\(index)_out", x.reshaped(shape))
    }
    context.taps?.record("vit_prenorm_tokens", x.reshaped(shape))
    return x
  }

  /// Normalized class token of each image `[B, C]`.
  public func classFeature(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    let tokens = prenormTokens(images, context)
    let length = tokens.shape.rows / images.shape[0]
    return norm(gatherRows(tokens, (0..<images.shape[0]).map { $0 * length }), context)
  }

  /// Mean of all tokens of each image before the final norm `[B, C]`: CLEFT's `--pool_feat`.
  public func meanFeature(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    meanOverSequences(prenormTokens(images, context), count: images.shape[0])
  }

  private func resampledPositions(height: Int, width: Int) -> Tensor {
    let table = positions.reshaped([positions.shape[1], config.hiddenSize])
    if height == config.positionGrid && width == config.positionGrid { return table }
    let matrix = PositionInterpolation.matrix(
      from: config.positionGrid, height: height, width: width, classRows: config.tokenNames == .hub ? 1 : 0,
      antialias: config.registerCount > 0)
    return matmul(matrix, table)
  }
}
