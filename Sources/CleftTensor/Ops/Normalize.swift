/// Normalizes each row to mean 0 and variance 1, then scales and shifts per channel.
///
/// `y = (x - mean) / √(variance + ε) · weight + bias`, the variance being the biased one.
///
/// - Shapes: `x` `[..., C]`; `weight`, `bias` `[C]`.
/// - Saves: `x`, mean and 1/√(variance + ε) of each row, `weight`.
/// - Source: Ba et al. 2016, arXiv 1607.06450. Matches `torch.nn.LayerNorm`.
public func layerNorm(_ x: Tensor, _ weight: Tensor, _ bias: Tensor, epsilon: Float) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(
    weight.shape == [width] && bias.shape == [width],
    "layerNorm: [\(x.shape)], [\(weight.shape)], [\(bias.shape)]")
  let result = Tensor(uninitialized: x.shape)
  let statistics = Tensor(uninitialized: [rows, 2])
  with(x, weight, bias, result) { x, w, b, y in
    statistics.withMutablePointer {
      Kernels.layerNorm(
        x, weight: w, bias: b, epsilon: epsilon, into: y, statistics: $0, rows: rows, width: width)
    }
  }
  let nodes = [x.node, weight.node, bias.node]
  let (kept, savedWeight) = (SavedTensor(x, for: nodes), weight.detached)
  return result.recorded(nodes) { gradient, sink in
    let saved = kept.tensor
    if sink.wants(0) {
      sink.accumulate(0, saved.shape) { target, beta in
        with(saved, savedWeight, statistics, gradient) { x, w, s, dy in
          Kernels.layerNormBackward(
            x, weight: w, statistics: s, dy, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
    if sink.wants(1) || sink.wants(2) {
      let (dWeight, dBias) = (Tensor([width]), Tensor([width]))
      with(saved, statistics, gradient) { x, s, dy in
        with(dWeight, dBias) {
          Kernels.layerNormParameterGradients(
            x, statistics: s, dy, weight: $0, bias: $1, rows: rows, width: width)
        }
      }
      sink.add(1, dWeight)
      sink.add(2, dBias)
    }
  }
}

/// Divides each row by its Euclidean length, at least 1e-12.
///
/// - Shapes: `x` `[B, E]` → `[B, E]`.
/// - Saves: the result and the lengths.
public func normalizeRows(_ x: Tensor) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  let result = Tensor(uninitialized: x.shape)
  let lengths = Tensor(uninitialized: [rows])
  with(x, result, lengths) { x, y, length in
    for row in 0..<rows {
      let base = row * width
      length[row] = max(Float(Kernels.sumOfSquares(x + base, count: width).squareRoot()), 1e-12)
      for c in 0..<width { y[base + c] = x[base + c] / length[row] }
    }
  }
  let saved = result
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(saved, lengths, gradient, out) { y, length, dy, dx in
      for row in 0..<rows {
        let base = row * width
        let along = Kernels.dot(y + base, dy + base, count: width)
        for c in 0..<width { dx[base + c] = (dy[base + c] - along * y[base + c]) / length[row] }
      }
    }
    sink.add(0, out)
  }
}
