/// Normalizes each row to mean 0 and variance 1, then scales and shifts per channel.
///
/// `y = (x - mean) / √(variance + ε) · weight + bias`, the variance being the biased one.
///
/// - Shapes: `x` `[..., C]`; `weight`, `bias` `[C]`.
/// - Saves: `x`, mean and 1/√(variance + ε) of each row, `weight`; a product that follows has its factor made again.
/// - Parameter halves: whether the result is in bfloat16.
/// - Source: Ba et al. 2016, arXiv 1607.06450. Matches `torch.nn.LayerNorm`.
public func layerNorm(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor, epsilon: Float, halves: Bool = false
) -> Tensor {
  let width = x.shape.last
  precondition(
    weight.shape == [width] && bias.shape == [width],
    "layerNorm: [\(x.shape)], [\(weight.shape)], [\(bias.shape)]")
  let nodes = [x.node, weight.node, bias.node]
  let norm = LayerNormalization(
    weight: weight.detached, bias: bias.detached, epsilon: epsilon, halves: halves)
  let keepsHalf = halves && Tape.isRecording && nodes.contains { $0 != nil }
  let (values, statistics, rounded) = norm.forward(x, keepsHalf: keepsHalf)
  let kept = rounded ?? x.detached
  var result = values.recorded(nodes) { gradient, sink in
    norm.backward(kept, statistics, gradient, sink)
  }
  if result.isTracked { result.recipe = Recipe { norm.again(kept, statistics) } }
  return result
}

/// The loops of layer norm over tensors in either form.
private struct LayerNormalization {
  let weight, bias: Tensor
  let epsilon: Float
  let halves: Bool

  private func empty(_ shape: Shape) -> Tensor {
    halves ? Tensor(halfUninitialized: shape) : Tensor(uninitialized: shape)
  }

  /// Result, statistics, and the input in bfloat16 where it is to be kept so.
  func forward(_ x: Tensor, keepsHalf: Bool) -> (Tensor, Tensor, Tensor?) {
    let (rows, width) = (x.shape.rows, x.shape.last)
    let (result, statistics) = (empty(x.shape), Tensor(uninitialized: [rows, 2]))
    let rounded = keepsHalf ? Tensor(halfUninitialized: x.shape) : nil
    with(x, weight, bias, statistics) { x, w, b, s in
      result.withElements(
        { y in
          Kernels.layerNorm(
            x, weight: w, bias: b, epsilon: epsilon, into: y, keeping: rounded?.halfPointer, statistics: s,
            rows: rows, width: width)
        },
        { y in
          Kernels.layerNorm(
            x, weight: w, bias: b, epsilon: epsilon, into: y, keeping: rounded?.halfPointer, statistics: s,
            rows: rows, width: width)
        })
    }
    return (result, statistics, rounded)
  }

  /// The result from the kept input.
  func again(_ x: Tensor, _ statistics: Tensor) -> Tensor {
    let (rows, width) = (x.shape.rows, x.shape.last)
    let result = empty(x.shape)
    with(weight, bias, statistics) { w, b, s in
      withExtendedLifetime((x, result)) {
        if halves {
          // Then what is kept is in bfloat16 too.
          Kernels.normalized(
            x.halfPointer, weight: w, bias: b, statistics: s, into: result.halfPointer, rows: rows,
            width: width)
        } else {
          Kernels.normalized(
            x.pointer, weight: w, bias: b, statistics: s, into: result.pointer, rows: rows, width: width)
        }
      }
    }
    return result
  }

  func backward(_ x: Tensor, _ statistics: Tensor, _ gradient: Tensor, _ sink: GradientSink) {
    withExtendedLifetime((x, gradient)) {
      switch (x.isHalf, gradient.isHalf) {
      case (true, true): backward(x, x.halfPointer, statistics, gradient.halfPointer, sink)
      case (true, false): backward(x, x.halfPointer, statistics, gradient.pointer, sink)
      case (false, _): backward(x, x.pointer, statistics, gradient.pointer, sink)
      }
    }
  }

  private func backward<X: Element, G: Element>(
    _ x: Tensor, _ values: UnsafeMutablePointer<X>, _ statistics: Tensor, _ dy: UnsafeMutablePointer<G>,
    _ sink: GradientSink
  ) {
    let (rows, width) = (x.shape.rows, x.shape.last)
    if sink.wants(0) {
      sink.accumulate(0, x.shape) { target, beta in
        with(weight, statistics) { w, s in
          Kernels.layerNormBackward(
            values, weight: w, statistics: s, dy, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
    guard sink.wants(1) || sink.wants(2) else { return }
    let (dWeight, dBias) = (Tensor([width]), Tensor([width]))
    with(statistics, dWeight, dBias) {
      Kernels.layerNormParameterGradients(
        values, statistics: $0, dy, weight: $1, bias: $2, rows: rows, width: width)
    }
    sink.add(1, dWeight)
    sink.add(2, dBias)
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
