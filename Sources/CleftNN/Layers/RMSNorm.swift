import CleftTensor

/// Root-mean-square normalization over the last axis.
///
/// - Shapes: `[..., C]` → `[..., C]`; `weight` `[C]`.
/// - Source: Zhang and Sennrich 2019, arXiv 1910.07467. Matches Hugging Face's `LlamaRMSNorm`.
public final class RMSNorm: UnaryLayer {
  /// Gain, starts at 1.
  @Parameter public var weight: Tensor
  /// Added to the mean square.
  public let epsilon: Float

  /// Makes a layer for `width` channels.
  public init(_ width: Int, epsilon: Float) {
    self.epsilon = epsilon
    _weight = Parameter("weight", [width], .ones)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    rmsNorm(x, weight, epsilon: epsilon)
  }
}
