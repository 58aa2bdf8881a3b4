import CleftNN
import CleftTensor

extension VisionTransformer {
  /// The tokens of images; nil where patches are left out of the pass.
  ///
  /// Tokens are taken as the vector is: before the final norm where the mean is taken before it, otherwise behind it.
  public func inspect(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> TokenInspection?
  {
    guard config.maskedFraction == 0 || !(context.isTraining || config.masksInEvaluation) else { return nil }
    let batch = images.shape[0]
    let prenorm = prenormTokens(images, context)
    let length = prenorm.shape.rows / batch
    let takesMean = config.maskedFraction > 0 || pooling == .mean
    let isPrenorm = config.output == .tokens && takesMean
    let patchMean = config.output == .patchMean
    return TokenInspection(
      rows: images.shape[2] / config.patchSize, columns: images.shape[3] / config.patchSize,
      tokens: (isPrenorm ? prenorm : norm(prenorm, context)).detached,
      pooled: patchMean ? 1 + config.registerCount..<length : 0..<(takesMean ? length : 1),
      isMean: !patchMean,
      feature: vector(of: prenorm, batch, pooling, context))
  }
}

extension MaskedAutoencoderTower {
  /// The tokens of images behind the decoder; nil where patches are left out of the pass.
  public func inspect(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> TokenInspection?
  {
    guard config.maskedFraction == 0 || !(context.isTraining || config.masksInEvaluation) else { return nil }
    let tokens = tokens(images, context)
    return TokenInspection(
      rows: config.gridSide, columns: config.gridSide, tokens: tokens.detached,
      pooled: 1..<1 + config.gridSide * config.gridSide, isMean: true,
      feature: vector(of: tokens, images.shape[0]))
  }
}
