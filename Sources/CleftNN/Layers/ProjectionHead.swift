import CleftTensor

/// Two-layer projection with batch norm: CLEFT's default `global_embed`.
///
/// - Shapes: `[B, in]` → `[B, out]`. Keys `head.0` linear, `head.1` batch norm, `head.3` linear, `head.4` batch norm
///   without affine part; `head.2` is the ReLU.
public final class ProjectionHead: UnaryLayer {
  @Child("head.0") var first: Linear
  @Child("head.1") var firstNorm: BatchNorm
  @Child("head.3") var second: Linear
  @Child("head.4") var secondNorm: BatchNorm

  /// Makes a head with `hiddenSize` channels between.
  public init(_ inputSize: Int, _ outputSize: Int, hiddenSize: Int = 2048) {
    _first.wrappedValue = Linear(inputSize, hiddenSize)
    _firstNorm.wrappedValue = BatchNorm(hiddenSize)
    _second.wrappedValue = Linear(hiddenSize, outputSize)
    _secondNorm.wrappedValue = BatchNorm(outputSize, isAffine: false)
  }

  /// Applies the head.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    let hidden = relu(firstNorm(first(x, context), context))
    return secondNorm(second(hidden, context), context)
  }
}
