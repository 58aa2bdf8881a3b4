/// Divides each row by its root mean square, then scales per channel.
///
/// `y = x / √(mean(x²) + ε) · weight`
///
/// - Shapes: `x` `[..., C]`; `weight` `[C]`.
/// - Saves: `x`, 1/√(mean(x²) + ε) of each row, `weight`.
/// - Source: Zhang and Sennrich 2019, arXiv 1910.07467. Matches Hugging Face's `LlamaRMSNorm`.
public func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(weight.shape == [width], "rmsNorm: [\(x.shape)], [\(weight.shape)]")
  let result = Tensor(uninitialized: x.shape)
  let scales = Tensor(uninitialized: [rows])
  with(x, weight, result, scales) {
    Kernels.rmsNorm($0, weight: $1, epsilon: epsilon, into: $2, scales: $3, rows: rows, width: width)
  }
  let nodes = [x.node, weight.node]
  let (kept, savedWeight) = (SavedTensor(x, for: nodes), weight.detached)
  return result.recorded(nodes) { gradient, sink in
    let saved = kept.tensor

    if sink.wants(0) {
      sink.accumulate(0, saved.shape) { target, beta in
        with(saved, savedWeight, scales, gradient) { x, w, s, dy in
          Kernels.rmsNormBackward(
            x, weight: w, scales: s, dy, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
    if sink.wants(1) {
      // Rows times their scales are the weight's gradient before the sum.
      let normalized = Tensor(uninitialized: saved.shape)
      with(saved, scales, normalized) { x, s, z in
        parallel(rows, grain: max(1, 32_768 / max(width, 1))) { range in
          for row in range { for c in 0..<width { z[row * width + c] = x[row * width + c] * s[row] } }
        }
      }
      sink.accumulate(1, [width]) { target, beta in
        with(gradient, normalized) {
          Kernels.columnSums($0, times: $1, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
  }
}

extension Kernels {
  /// `out = x · scale · weight` with `scale = 1/√(mean(x²) + ε)` of each row.
  static func rmsNorm(
    _ x: Pointer, weight: Pointer, epsilon: Float, into out: Pointer, scales: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, 16_384 / max(width, 1))) { range in
      for row in range {
        let (input, target) = (x + row * width, out + row * width)
        let scale = 1 / (squaredDistance(input, from: 0, count: width) / Float(width) + epsilon).squareRoot()
        scales[row] = scale
        for c in 0..<width { target[c] = input[c] * scale * weight[c] }
      }
    }
  }

  /// Gradient of `rmsNorm` in its input, written or added (`beta` 1) to `out`.
  static func rmsNormBackward(
    _ x: Pointer, weight: Pointer, scales: Pointer, _ gradient: Pointer, into out: Pointer, beta: Float,
    rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, 16_384 / max(width, 1))) { range in
      for row in range {
        let (input, dy, target) = (x + row * width, gradient + row * width, out + row * width)
        let scale = scales[row]
        let along = weightedDot(dy, weight, input, count: width) * scale * scale / Float(width)
        for c in 0..<width {
          let value = scale * (dy[c] * weight[c] - input[c] * along)
          target[c] = beta == 0 ? value : target[c] + value
        }
      }
    }
  }

  /// `Σ a·b·c`.
  @inline(__always)
  private static func weightedDot(_ a: Pointer, _ b: Pointer, _ c: Pointer, count: Int) -> Float {
    var lanes = SIMD16<Float>()
    let whole = count & ~15
    var i = 0
    while i < whole {
      let product = load(UnsafePointer(a + i)) * load(UnsafePointer(b + i))
      lanes.addProduct(product, load(UnsafePointer(c + i)))
      i &+= 16
    }
    var total = lanes.sum()
    while i < count {
      total += a[i] * b[i] * c[i]
      i &+= 1
    }
    return total
  }
}
