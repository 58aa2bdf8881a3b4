/// `SiLU(gate) ⊙ up`, the product inside a SwiGLU feed-forward part.
///
/// - Shapes: `gate` and `up` `[..., C]` → `[..., C]`.
/// - Saves: both inputs.
/// - Source: Shazeer 2020, arXiv 2002.05202.
public func siluProduct(gate: Tensor, up: Tensor) -> Tensor {
  precondition(gate.shape == up.shape, "siluProduct: [\(gate.shape)] and [\(up.shape)]")
  let result = Tensor(uninitialized: up.shape)
  let (rows, width) = (up.shape.rows, up.shape.last)
  with(gate, up, result) {
    Kernels.siluProduct($0, $1, inputStride: width, into: $2, rows: rows, width: width)
  }
  let nodes = [gate.node, up.node]
  let (keptGate, keptUp) = (SavedTensor(gate, for: nodes), SavedTensor(up, for: nodes))
  return result.recorded(nodes) { gradient, sink in
    let (savedGate, savedUp) = (keptGate.tensor, keptUp.tensor)

    let (dGate, dUp) = (Tensor(uninitialized: savedUp.shape), Tensor(uninitialized: savedUp.shape))
    with(savedGate, savedUp, gradient) { gate, up, dy in
      with(dGate, dUp) {
        Kernels.siluProductBackward(
          gate, up, inputStride: width, dy, $0, $1, outputStride: width, rows: rows, width: width)
      }
    }
    sink.add(0, dGate)
    sink.add(1, dUp)
  }
}

/// `SiLU(first half) ⊙ second half` of each row: DINOv2's packed form of a SwiGLU product.
///
/// - Shapes: `x` `[..., 2·C]` → `[..., C]`.
/// - Saves: `x`.
public func siluProduct(packed x: Tensor) -> Tensor {
  let width = x.shape.last / 2
  precondition(x.shape.last == 2 * width, "siluProduct: [\(x.shape)] has no two halves")
  let rows = x.shape.rows
  let result = Tensor(uninitialized: x.shape.replacingLast(width))
  with(x, result) {
    Kernels.siluProduct($0, $0 + width, inputStride: 2 * width, into: $1, rows: rows, width: width)
  }
  let kept = SavedTensor(x, for: [x.node])
  return result.recorded([x.node]) { gradient, sink in
    let saved = kept.tensor
    let out = Tensor(uninitialized: saved.shape)
    with(saved, gradient, out) { x, dy, dx in
      Kernels.siluProductBackward(
        x, x + width, inputStride: 2 * width, dy, dx, dx + width, outputStride: 2 * width, rows: rows,
        width: width)
    }
    sink.add(0, out)
  }
}

/// The hyperbolic tangent, element by element.
///
/// - Saves: the output.
public func tanh(_ x: Tensor) -> Tensor {
  let result = Tensor(uninitialized: x.shape)
  with(x, result) { x, y in for i in 0..<result.count { y[i] = fastTanh(x[i]) } }
  let saved = result
  return result.recorded([x.node]) { gradient, sink in
    let out = Tensor(uninitialized: gradient.shape)
    with(saved, gradient, out) { y, dy, dx in for i in 0..<out.count { dx[i] = dy[i] * (1 - y[i] * y[i]) } }
    sink.add(0, out)
  }
}

extension Kernels {
  /// `out = gate · σ(gate) · up`; rows of the inputs lie `inputStride` apart.
  static func siluProduct(
    _ gate: Pointer, _ up: Pointer, inputStride: Int, into out: Pointer, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, 16_384 / max(width, 1))) { range in
      for row in range {
        let (g, u, y) = (gate + row * inputStride, up + row * inputStride, out + row * width)
        for c in 0..<width { y[c] = g[c] / (1 + fastExp(-g[c])) * u[c] }
      }
    }
  }

  /// Gradients of `siluProduct` in gate and up.
  static func siluProductBackward(
    _ gate: Pointer, _ up: Pointer, inputStride: Int, _ gradient: Pointer, _ dGate: Pointer, _ dUp: Pointer,
    outputStride: Int, rows: Int, width: Int
  ) {
    parallel(rows, grain: max(1, 16_384 / max(width, 1))) { range in
      for row in range {
        let (g, u, dy) = (gate + row * inputStride, up + row * inputStride, gradient + row * width)
        let (dg, du) = (dGate + row * outputStride, dUp + row * outputStride)
        for c in 0..<width {
          let sigmoid = 1 / (1 + fastExp(-g[c]))
          du[c] = dy[c] * g[c] * sigmoid
          dg[c] = dy[c] * u[c] * sigmoid * (1 + g[c] * (1 - sigmoid))
        }
      }
    }
  }
}
