import CleftTensor

/// Batch normalization of vectors, with running statistics for evaluation.
///
/// - Shapes: `[B, C]` → `[B, C]`.
/// - Source: Ioffe and Szegedy 2015, arXiv 1502.03167. Matches `torch.nn.BatchNorm1d` (ε 1e-5, momentum 0.1).
public final class BatchNorm: UnaryLayer {
  /// Gain, nil without an affine part.
  @OptionalParameter public var weight: Tensor?
  /// Shift, nil without an affine part.
  @OptionalParameter public var bias: Tensor?
  /// Mean used in evaluation.
  @Buffer public var runningMean: Tensor
  /// Variance used in evaluation.
  @Buffer public var runningVariance: Tensor
  /// Batches seen.
  @Buffer public var batchCount: Tensor
  private let momentum: Float = 0.1

  /// Makes a layer for `width` channels.
  public init(_ width: Int, isAffine: Bool = true) {
    _weight = OptionalParameter("weight", [width], .ones, isPresent: isAffine)
    _bias = OptionalParameter("bias", [width], .zeros, isPresent: isAffine)
    _runningMean = Buffer("running_mean", [width], .zeros)
    _runningVariance = Buffer("running_var", [width], .ones)
    _batchCount = Buffer("num_batches_tracked", [], .zeros)
  }

  /// Applies the layer; in training it also moves the running statistics.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    guard context.isTraining else {
      return batchNormInference(
        x, mean: runningMean, variance: runningVariance, weight: weight, bias: bias, epsilon: 1e-5)
    }
    let (output, statistics) = batchNorm(x, weight: weight, bias: bias, epsilon: 1e-5)
    guard context.movesStatistics else { return output }
    withoutGradients {
      runningMean = runningMean * (1 - momentum) + statistics.mean * momentum
      runningVariance = runningVariance * (1 - momentum) + statistics.variance * momentum
      batchCount = Tensor([], [batchCount.item + 1])
    }
    return output
  }
}
