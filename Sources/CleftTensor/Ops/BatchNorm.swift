/// Statistics of one batch, for the running averages of batch norm.
public struct BatchStatistics {
  /// Mean of each channel `[C]`.
  public let mean: Tensor
  /// Unbiased variance of each channel `[C]`.
  public let variance: Tensor
}

/// Normalizes each channel over the batch by the batch's own statistics.
///
/// - Shapes: `x` `[B, C]`, `weight` and `bias` `[C]` or nil (no affine part) → `[B, C]`.
/// - Saves: the normalized input and 1/√(variance + ε) of each channel.
/// - Source: Ioffe and Szegedy 2015, arXiv 1502.03167. Matches `torch.nn.BatchNorm1d` in training.
public func batchNorm(
  _ x: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float
) -> (output: Tensor, statistics: BatchStatistics) {
  let (rows, width) = (x.shape.rows, x.shape.last)
  let normalized = Tensor(uninitialized: x.shape)
  let result = Tensor(uninitialized: x.shape)
  let (mean, variance, rstd) = (Tensor([width]), Tensor([width]), Tensor([width]))
  with(x, normalized, result) { x, z, y in
    with(mean, variance, rstd) { mean, variance, rstd in
      for c in 0..<width {
        var (sum, squares) = (0.0, 0.0)
        for r in 0..<rows { sum += Double(x[r * width + c]) }
        let center = sum / Double(rows)
        for r in 0..<rows {
          squares += (Double(x[r * width + c]) - center) * (Double(x[r * width + c]) - center)
        }
        mean[c] = Float(center)
        variance[c] = Float(squares / Double(max(rows - 1, 1)))
        rstd[c] = Float(1 / (squares / Double(rows) + Double(epsilon)).squareRoot())
      }
      for r in 0..<rows {
        for c in 0..<width { z[r * width + c] = (x[r * width + c] - mean[c]) * rstd[c] }
      }
    }
    y.update(from: z, count: rows * width)
  }
  applyAffine(result, weight, bias)
  let savedWeight = weight?.detached
  let output = result.recorded([x.node, weight?.node, bias?.node]) { gradient, sink in
    let (dWeight, dBias) = (Tensor([width]), Tensor([width]))
    with(gradient, normalized, dWeight, dBias) { dy, z, dw, db in
      Kernels.columnSums(dy, times: z, into: dw, beta: 0, rows: rows, width: width)
      Kernels.columnSums(dy, times: nil, into: db, beta: 0, rows: rows, width: width)
    }
    if sink.wants(0) {
      let out = Tensor(uninitialized: gradient.shape)
      let gain = savedWeight ?? Tensor([width], repeating: 1)
      with(gradient, normalized, dWeight, dBias) { dy, z, dw, db in
        with(rstd, gain, out) { rstd, gain, dx in
          for i in 0..<rows * width {
            let c = i % width
            dx[i] = gain[c] * rstd[c] * (dy[i] - (db[c] + z[i] * dw[c]) / Float(rows))
          }
        }
      }
      sink.add(0, out)
    }
    sink.add(1, dWeight)
    sink.add(2, dBias)
  }
  return (output, BatchStatistics(mean: mean, variance: variance))
}

/// Scales and shifts each channel by fixed numbers: batch norm in evaluation.
///
/// - Shapes: `x` `[B, C]`; `mean`, `variance`, `weight`, `bias` `[C]`.
public func batchNormInference(
  _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor?, bias: Tensor?, epsilon: Float
) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  with(x, result, mean, variance) { x, y, mean, variance in
    for i in 0..<rows * width {
      let c = i % width
      y[i] = (x[i] - mean[c]) / (variance[c] + epsilon).squareRoot()
    }
  }
  applyAffine(result, weight, bias)
  let gain = Tensor(uninitialized: [width])
  with(variance, weight ?? variance, gain) { variance, w, gain in
    for c in 0..<width { gain[c] = (weight == nil ? 1 : w[c]) / (variance[c] + epsilon).squareRoot() }
  }
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(gradient, gain, out) { Kernels.scaleColumns($0, $1, into: $2, rows: rows, width: width) }
    sink.add(0, out)
  }
}

/// Zero where negative.
///
/// - Saves: the output.
public func relu(_ x: Tensor) -> Tensor {
  let result = Tensor(uninitialized: x.shape)
  with(x, result) { x, y in for i in 0..<result.count { y[i] = x[i] > 0 ? x[i] : 0 } }
  let saved = result
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(saved, gradient, out) { y, dy, dx in for i in 0..<out.count { dx[i] = y[i] > 0 ? dy[i] : 0 } }
    sink.add(0, out)
  }
}

private func applyAffine(_ y: Tensor, _ weight: Tensor?, _ bias: Tensor?) {
  let (rows, width) = (y.shape.rows, y.shape.last)
  guard let weight, let bias else { return }
  precondition(
    weight.count == width && bias.count == width,
    "batchNorm: [\(y.shape)], [\(weight.shape)], [\(bias.shape)]")
  with(y, weight, bias) { y, w, b in
    for r in 0..<rows { for c in 0..<width { y[r * width + c] = y[r * width + c] * w[c] + b[c] } }
  }
}
