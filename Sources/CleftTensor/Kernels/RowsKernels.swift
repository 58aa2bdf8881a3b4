extension Kernels {
  private static let grain = 1 << 14

  /// Mean and 1/√(variance + ε) of each row, then `out = (x - mean) · rstd · weight + bias`; with `keeping` the rows in
  /// bfloat16 as well.
  static func layerNorm<E: Element>(
    _ x: Pointer, weight: Pointer, bias: Pointer, epsilon: Float, into out: UnsafeMutablePointer<E>,
    keeping kept: UnsafeMutablePointer<BFloat16>? = nil, statistics: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        let input = x + row * width
        let mean = sum(input, count: width) / Float(width)
        let rstd =
          1 / (squaredDistance(input, from: mean, count: width) / Float(width) + epsilon).squareRoot()
        statistics[2 * row] = mean
        statistics[2 * row + 1] = rstd
        normalize(input, mean, rstd, weight, bias, into: out + row * width, width)
        if let kept {
          let target = kept + row * width
          for c in 0..<width { target[c] = BFloat16(rounding: input[c]) }
        }
      }
    }
  }

  /// The same result from known statistics.
  static func normalized<E: Element>(
    _ x: UnsafeMutablePointer<E>, weight: Pointer, bias: Pointer, statistics: Pointer,
    into out: UnsafeMutablePointer<E>, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        normalize(
          x + row * width, statistics[2 * row], statistics[2 * row + 1], weight, bias,
          into: out + row * width,
          width)
      }
    }
  }

  @inline(__always)
  private static func normalize<From: Element, To: Element>(
    _ x: UnsafeMutablePointer<From>, _ mean: Float, _ rstd: Float, _ weight: Pointer, _ bias: Pointer,
    into out: UnsafeMutablePointer<To>, _ width: Int
  ) {
    for c in 0..<width {
      out[c] = To(rounding: bias[c].addingProduct((x[c].widened - mean) * rstd, weight[c]))
    }
  }

  /// Gradient of layer norm in its input, written or added (`beta` 1) to `out`.
  static func layerNormBackward<E: Element, G: Element>(
    _ x: UnsafeMutablePointer<E>, weight: Pointer, statistics: Pointer, _ gradient: UnsafeMutablePointer<G>,
    into out: Pointer, beta: Float, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, grain / max(width, 1))) { range in
      for row in range {
        let input = x + row * width
        let dy = gradient + row * width
        let target = out + row * width
        let mean = statistics[2 * row]
        let rstd = statistics[2 * row + 1]
        var plain = SIMD16<Float>()
        var along = SIMD16<Float>()
        let whole = width & ~15
        var c = 0
        while c < whole {
          let g = G.lanes(dy + c) * load(UnsafePointer(weight) + c)
          plain += g
          along.addProduct(g, (E.lanes(input + c) - mean) * rstd)
          c &+= 16
        }
        var sumPlain = plain.sum()
        var sumAlong = along.sum()
        while c < width {
          let g = dy[c].widened * weight[c]
          sumPlain += g
          sumAlong += g * (input[c].widened - mean) * rstd
          c &+= 1
        }
        let meanPlain = sumPlain / Float(width)
        let meanAlong = sumAlong / Float(width)
        if beta == 0 {
          for c in 0..<width {
            let normalized = (input[c].widened - mean) * rstd
            target[c] = rstd * (dy[c].widened * weight[c] - meanPlain - normalized * meanAlong)
          }
        } else {
          for c in 0..<width {
            let normalized = (input[c].widened - mean) * rstd
            target[c] += rstd * (dy[c].widened * weight[c] - meanPlain - normalized * meanAlong)
          }
        }
      }
    }
  }

  /// `weight[c] += Σᵣ dy[r, c] · normalized x[r, c]`, `bias[c] += Σᵣ dy[r, c]` into zeroed buffers, in fixed blocks.
  static func layerNormParameterGradients<E: Element, G: Element>(
    _ x: UnsafeMutablePointer<E>, statistics: Pointer, _ gradient: UnsafeMutablePointer<G>, weight: Pointer,
    bias: Pointer, rows: Int, width: Int
  ) {
    let parts = blockCount(rows)
    let partial = UnsafeMutablePointer<Float>.allocate(capacity: parts * 2 * width)
    defer { partial.deallocate() }
    partial.update(repeating: 0, count: parts * 2 * width)
    spread(parts) { part in
      let dWeight = partial + part * 2 * width
      let dBias = dWeight + width
      for row in part * rows / parts..<(part + 1) * rows / parts {
        let input = x + row * width
        let dy = gradient + row * width
        let mean = statistics[2 * row]
        let rstd = statistics[2 * row + 1]
        for c in 0..<width {
          let g = dy[c].widened
          dWeight[c] = dWeight[c].addingProduct(g, (input[c].widened - mean) * rstd)
          dBias[c] += g
        }
      }
    }
    for part in 0..<parts {
      for c in 0..<width {
        weight[c] += partial[part * 2 * width + c]
        bias[c] += partial[part * 2 * width + width + c]
      }
    }
  }

  @inline(__always)
  static func sum(_ x: Pointer, count: Int) -> Float {
    var lanes = SIMD16<Float>()
    let whole = count & ~15
    var i = 0
    while i < whole {
      lanes += load(UnsafePointer(x + i))
      i &+= 16
    }
    var total = lanes.sum()
    while i < count {
      total += x[i]
      i &+= 1
    }
    return total
  }

  @inline(__always)
  static func squaredDistance(_ x: Pointer, from mean: Float, count: Int) -> Float {
    var lanes = SIMD16<Float>()
    let whole = count & ~15
    var i = 0
    while i < whole {
      let d = load(UnsafePointer(x + i)) - mean
      lanes.addProduct(d, d)
      i &+= 16
    }
    var total = lanes.sum()
    while i < count {
      total += (x[i] - mean) * (x[i] - mean)
      i &+= 1
    }
    return total
  }

  @inline(__always)
  static func maximum(_ x: Pointer, count: Int) -> Float {
    var lanes = SIMD16<Float>(repeating: -.greatestFiniteMagnitude)
    let whole = count & ~15
    var i = 0
    while i < whole {
      let v = load(UnsafePointer(x + i))
      lanes.replace(with: v, where: v .> lanes)
      i &+= 16
    }
    var top = lanes.max()
    while i < count {
      top = x[i] > top ? x[i] : top
      i &+= 1
    }
    return top
  }

  /// Softmax of one row in place.
  @inline(__always)
  static func softmax(_ x: Pointer, count: Int) {
    let top = maximum(x, count: count)
    for i in 0..<count { x[i] = fastExp(x[i] - top) }
    let inverse = 1 / sum(x, count: count)
    for i in 0..<count { x[i] *= inverse }
  }
}
