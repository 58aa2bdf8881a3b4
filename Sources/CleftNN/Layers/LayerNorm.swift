import CleftTensor

/// Layer normalization over the last axis.
///
/// - Shapes: `[..., C]` → `[..., C]`; `weight`, `bias` `[C]`.
/// - Source: Ba et al. 2016, arXiv 1607.06450.
public final class LayerNorm: UnaryLayer {
  /// Gain, starts at 1.
  @Parameter public var weight: Tensor
  /// Shift, starts at 0.
  @Parameter public var bias: Tensor
  /// Added to the variance.
  public let epsilon: Float

  /// Makes a layer for `width` channels.
  public init(_ width: Int, epsilon: Float) {
    self.epsilon = epsilon
    _weight = Parameter("weight", [width], .ones)
    _bias = Parameter("bias", [width], .zeros)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    layerNorm(x, weight, bias, epsilon: epsilon, halves: context.halvesResults)
  }
}
