/// Statistics of one batch, for the running averages of batch norm.
public struct BatchStatistics {
  /// Mean of each channel `[C]`.
  public let mean: Tensor
  /// Unbiased variance of each channel `[C]`.
  public let variance: Tensor
}

/// Normalizes each channel over the batch by the batch's own statistics.
///
/// - Shapes: `x` `[R, C]`, `weight` and `bias` `[C]` or nil (no affine part) → `[R, C]`. Rows are samples, or the
///   pixels of all images.
/// - Saves: `x`, mean and 1/√(variance + ε) of each channel, `weight`.
/// - Numerics: statistics and sums over rows in Double over fixed blocks of rows; the same bits for every thread count.
/// - Source: Ioffe and Szegedy 2015, arXiv 1502.03167. Matches `torch.nn.BatchNorm1d` and `BatchNorm2d` in training.
public func batchNorm(
  _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float
) -> (output: Tensor, statistics: BatchStatistics) {
  checkAffine(x, weight, bias)
  let (rows, width) = (x.shape.rows, x.shape.last)
  let moments = x.withMutablePointer { Kernels.columnMoments($0, rows: rows, width: width) }
  let unbiased = Double(rows) / Double(max(rows - 1, 1))
  let mean = Tensor([width], moments.means.map { Float($0) })
  let rstd = Tensor([width], moments.variances.map { Float(1 / ($0 + Double(epsilon)).squareRoot()) })
  let result = normalized(x, mean, rstd, weight, bias)
  let (saved, savedWeight) = (x.detached, weight?.detached)
  let output = result.recorded([x.node, weight?.node, bias?.node]) { gradient, sink in
    let slopes = Slopes(saved, mean, rstd, gradient)
    if sink.wants(0) {
      let out = Tensor(uninitialized: gradient.shape)
      let share = 1 / Float(max(rows, 1))
      let (gain, plain) = (product(rstd, savedWeight), slopes.plain * share)
      let slope = product(rstd, slopes.along * share)
      with(saved, mean, gain, plain) { x, mean, gain, plain in
        with(slope, gradient, out) { slope, dy, dx in
          Kernels.batchNormBackward(
            x, mean: mean, gain: gain, plain: plain, slope: slope, dy, into: dx, rows: rows, width: width)
        }
      }
      sink.add(0, out)
    }
    sink.add(1, slopes.along)
    sink.add(2, slopes.plain)
  }
  let variance = Tensor([width], moments.variances.map { Float($0 * unbiased) })
  return (output, BatchStatistics(mean: mean, variance: variance))
}

/// Normalizes each channel by fixed statistics: batch norm in evaluation, or with frozen statistics.
///
/// - Shapes: `x` `[R, C]`; `mean`, `variance`, `weight`, `bias` `[C]`.
/// - Saves: the statistics, `weight`, and `x` if `weight` is tracked.
public func batchNormInference(
  _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float
) -> Tensor {
  checkAffine(x, weight, bias)
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(
    mean.count == width && variance.count == width,
    "batchNormInference: [\(x.shape)], [\(mean.shape)], [\(variance.shape)]")
  let rstd = Tensor(
    [width], variance.array.map { Float(1 / (Double($0) + Double(epsilon)).squareRoot()) })
  let savedMean = mean.detached
  let result = normalized(x, savedMean, rstd, weight, bias)
  let (saved, savedWeight) = (weight?.isTracked == true ? x.detached : nil, weight?.detached)
  return result.recorded([x.node, weight?.node, bias?.node]) { gradient, sink in
    if sink.wants(0) {
      let out = Tensor(uninitialized: gradient.shape)
      let gain = product(rstd, savedWeight)
      with(gradient, gain, out) { Kernels.scaleColumns($0, $1, into: $2, rows: rows, width: width) }
      sink.add(0, out)
    }
    if let saved, sink.wants(1) {
      let slopes = Slopes(saved, savedMean, rstd, gradient)
      sink.add(1, slopes.along)
      sink.add(2, slopes.plain)
    } else if sink.wants(2) {
      sink.accumulate(2, [width]) { target, beta in
        gradient.withMutablePointer {
          Kernels.columnSums($0, times: nil, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
  }
}

/// Zero where negative.
///
/// - Saves: the output.
public func relu(_ x: Tensor) -> Tensor {
  let result = Tensor(uninitialized: x.shape)
  with(x, result) { Kernels.relu($0, into: $1, count: x.count) }
  let saved = result
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(saved, gradient, out) { Kernels.reluBackward($0, $1, into: $2, count: saved.count) }
    sink.add(0, out)
  }
}

/// Sums over rows that the gradients of batch norm are made of.
private struct Slopes {
  /// `Σ dy · normalized x`, the gradient of the gain.
  let along: Tensor
  /// `Σ dy`, the gradient of the shift.
  let plain: Tensor

  init(_ x: Tensor, _ mean: Tensor, _ rstd: Tensor, _ gradient: Tensor) {
    let (rows, width) = (x.shape.rows, x.shape.last)
    let (along, plain) = (Tensor(uninitialized: [width]), Tensor(uninitialized: [width]))
    with(x, mean, rstd, gradient) { x, mean, rstd, dy in
      with(along, plain) {
        Kernels.columnSlopes(
          x, mean: mean, rstd: rstd, dy, along: $0, plain: $1, rows: rows, width: width)
      }
    }
    self.along = along
    self.plain = plain
  }
}

/// `(x - mean) · rstd · weight + bias`, as a constant.
private func normalized(
  _ x: Tensor, _ mean: Tensor, _ rstd: Tensor, _ weight: Tensor?, _ bias: Tensor?
) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  let (gain, shift) = (product(rstd, weight?.detached), bias?.detached ?? Tensor([width]))
  with(x, mean, gain, shift) { x, mean, gain, shift in
    result.withMutablePointer {
      Kernels.normalizeColumns(
        x, mean: mean, gain: gain, shift: shift, into: $0, rows: rows, width: width)
    }
  }
  return result
}

/// Element by element, as a constant; a missing factor is 1.
private func product(_ a: Tensor, _ b: Tensor?) -> Tensor {
  guard let b else { return a }
  let result = Tensor(uninitialized: a.shape)
  with(a, b, result) { Kernels.multiply($0, $1, into: $2, count: a.count) }
  return result
}

private func checkAffine(_ x: Tensor, _ weight: Tensor?, _ bias: Tensor?) {
  let width = x.shape.last
  precondition(
    (weight == nil) == (bias == nil) && (weight?.count ?? width) == width && (bias?.count ?? width) == width,
    "batchNorm: [\(x.shape)], [\(weight?.shape ?? [])], [\(bias?.shape ?? [])]")
}
