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

/// A vision transformer: DINOv2's with or without register tokens, and the earlier ones of the baselines.
///
/// - Shapes: images `[B, 3, H, W]`, multiples of the patch size, → tokens `[B·T, C]`, T = 1 + R + N in the order class,
///   registers, patches.
/// - Source: Dosovitskiy et al. 2020, arXiv 2010.11929; Oquab et al. 2023, arXiv 2304.07193; Darcet et al. 2023,
///   arXiv 2309.16588.
public final class VisionTransformer: ImageTower {
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
  /// The fused projection, and for factors the end of the feed-forward part.
  public let adapterTargets: AdapterTargets

  /// Makes a tower; the values come later.
  public init(_ config: VisionTransformerConfig) {
    self.config = config
    let width = config.hiddenSize
    let isHub = config.tokenNames == .hub
    let rows = config.positionGrid * config.positionGrid + config.classPositionRows
    let last = config.feedForward == .swiglu && isHub ? "mlp.w3" : "mlp.fc2"
    adapterTargets = AdapterTargets(lowRank: ["qkv"], scaled: ["qkv", last], feedForward: [last])
    _classToken = Parameter("cls_token", [1, 1, width], .normal(deviation: 1e-6))
    _positions = Parameter("pos_embed", [1, rows, width], .truncatedNormal(deviation: 0.02))
    _registers = OptionalParameter(
      isHub ? "register_tokens" : "reg_token", [1, config.registerCount, width], .normal(deviation: 1e-6),
      isPresent: config.registerCount > 0)
    _maskToken = OptionalParameter("mask_token", [1, width], .zeros, isPresent: isHub)
    _patchEmbedding.wrappedValue = PatchEmbedding(width, patchSize: config.patchSize)
    _blocks.wrappedValue = (0..<config.depth).map { VisionBlock(config, index: $0) }
    _norm = Child(config.output == .patchMean ? "fc_norm" : "norm")
    _norm.wrappedValue = LayerNorm(width, epsilon: config.layerNormEpsilon)
  }

  /// Channels of an image's vector.
  public var hiddenSize: Int { config.hiddenSize }

  /// All tokens after the last block, before the final norm.
  public func prenormTokens(_ images: Tensor, _ context: ForwardContext) -> Tensor {
    let batch = images.shape[0]
    let (height, width) = (images.shape[2] / config.patchSize, images.shape[3] / config.patchSize)
    var x = assembleTokens(
      patches: patchEmbedding(images), positions: resampledPositions(height: height, width: width),
      classToken: classToken, registers: registers, batch: batch)
    x = withoutMasked(x, batch, patchCount: height * width, context)
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

  /// The vector of each image `[B, C]`.
  public func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    vector(of: prenormTokens(images, context), images.shape[0], pooling, context)
  }

  /// What stands for each image, from all its tokens: `[B·T, C]` → `[B, C]`.
  func vector(of tokens: Tensor, _ batch: Int, _ pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    let length = tokens.shape.rows / batch
    let first = (0..<batch).map { $0 * length }
    switch (config.output, config.maskedFraction > 0 ? .mean : pooling) {
    case (.tokens, .mean): return meanOverSequences(tokens, count: batch)
    case (.tokens, .cls), (.normalizedTokens, .cls): return norm(gatherRows(tokens, first), context)
    case (.normalizedTokens, .mean): return meanOverSequences(norm(tokens, context), count: batch)
    case (.patchMean, _):
      let special = 1 + config.registerCount
      let patches = gatherRows(tokens, first.flatMap { $0 + special..<$0 + length })
      return norm(meanOverSequences(patches, count: batch), context)
    }
  }

  /// The mask token always; the final norm too when the mean is taken before it.
  public func idleKeys(pooling: ImagePooling) -> [String] {
    let takesMean = config.output == .tokens && (pooling == .mean || config.maskedFraction > 0)
    return ["mask_token"] + (takesMean ? ["norm.weight", "norm.bias"] : [])
  }

  /// Leaves out a random share of each image's patches, another one for each image and pass.
  private func withoutMasked(_ x: Tensor, _ batch: Int, patchCount: Int, _ context: ForwardContext) -> Tensor
  {
    guard config.maskedFraction > 0, context.isTraining || config.masksInEvaluation else { return x }
    let kept = max(1, Int(Double(patchCount) * (1 - Double(config.maskedFraction))))
    let special = 1 + config.registerCount
    let key = context.key.split("masked patches")
    let rows = (0..<batch).flatMap { image -> [Int] in
      let draws = (0..<patchCount).map { key.uniform(at: image * patchCount + $0) }
      let order = (0..<patchCount).sorted { (draws[$0], $0) < (draws[$1], $1) }
      let start = image * (special + patchCount)
      return (0..<special).map { start + $0 } + order.prefix(kept).map { start + special + $0 }
    }
    return gatherRows(x, rows)
  }

  private func resampledPositions(height: Int, width: Int) -> Tensor {
    let table = positions.reshaped([positions.shape[1], config.hiddenSize])
    if height == config.positionGrid && width == config.positionGrid { return table }
    let matrix = PositionInterpolation.matrix(
      from: config.positionGrid, height: height, width: width, classRows: config.classPositionRows,
      antialias: config.registerCount > 0)
    return matmul(matrix, table)
  }
}

extension VisionTransformerConfig {
  /// Rows of the position table that belong to the class token.
  var classPositionRows: Int { tokenNames == .timm ? 0 : 1 }
}
