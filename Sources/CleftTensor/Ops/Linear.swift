/// How a weight matrix lies in memory and on disk.
public enum WeightLayout: Sendable {
  /// `[out, in]`, as PyTorch's `Linear` stores it.
  case outIn
  /// `[in, out]`, as GPT-2's `Conv1D` stores it.
  case inOut
}

/// Multiplies by a weight matrix and adds a bias.
///
/// `y = x·Wᵀ + b`, the transpose being a flag of the product, never a copy.
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `weight` `[out, in]` or `[in, out]`; `bias` `[out]`.
/// - Saves: `x` if the weight is tracked, the weight if `x` is.
public func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, layout: WeightLayout = .outIn) -> Tensor {
  linear(x, weight, bias, layout, mayRound: true)
}

/// `mayRound` off multiplies in float32 whatever `Runtime.productType` says.
private func linear(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ layout: WeightLayout, mayRound: Bool
) -> Tensor {
  let (outAxis, inAxis) = layout == .outIn ? (0, 1) : (1, 0)
  precondition(
    weight.shape.rank == 2 && x.shape.last == weight.shape[inAxis],
    "linear: [\(x.shape)] × [\(weight.shape)] \(layout)")
  let (rows, width, out) = (x.shape.rows, x.shape.last, weight.shape[outAxis])
  if mayRound, Runtime.roundsProduct(out, width) {
    return halfLinear(x, HalfMatrix(rounding: weight), node: weight.node, bias, layout)
  }
  precondition(bias.map { $0.count == out } ?? true, "linear: bias [\(bias?.shape ?? [])] for \(out) outputs")
  let result = Tensor(uninitialized: x.shape.replacingLast(out))
  let stride = weight.shape[1]
  with(x, weight, result) { x, w, y in
    if let bias { bias.read { Kernels.fillRows(y, with: $0, rows: rows, width: out) } }
    Kernels.matmul(
      Operand(x, rowStride: width), Operand(w, rowStride: stride, transposed: layout == .outIn), into: y,
      rowStride: out, m: rows, n: out, k: width, beta: bias == nil ? 0 : 1)
  }
  let savedInput = weight.isTracked ? SavedTensor(x, for: [weight.node]) : nil
  let savedWeight = x.isTracked ? weight.detached : nil
  let (inputShape, weightShape) = (x.shape, weight.shape)
  return result.recorded([x.node, weight.node, bias?.node]) { gradient, sink in
    if sink.wants(0), let savedWeight {
      sink.accumulate(0, inputShape) { target, beta in
        with(gradient, savedWeight) { dy, w in
          Kernels.matmul(
            Operand(dy, rowStride: out), Operand(w, rowStride: stride, transposed: layout == .inOut),
            into: target,
            rowStride: width, m: rows, n: width, k: out, beta: beta)
        }
      }
    }
    if sink.wants(1), let savedInput {
      sink.accumulate(1, weightShape) { target, beta in
        with(gradient, savedInput.tensor) { dy, x in
          let dyT = Operand(dy, rowStride: out, transposed: layout == .outIn)
          let xT = Operand(x, rowStride: width, transposed: layout == .inOut)
          if layout == .outIn {
            Kernels.matmul(dyT, xT, into: target, rowStride: width, m: out, n: width, k: rows, beta: beta)
          } else {
            Kernels.matmul(xT, dyT, into: target, rowStride: out, m: width, n: out, k: rows, beta: beta)
          }
        }
      }
    }
    if sink.wants(2) {
      sink.accumulate(2, [out]) { target, beta in
        gradient.withMutablePointer {
          Kernels.columnSums($0, times: nil, into: target, beta: beta, rows: rows, width: out)
        }
      }
    }
  }
}

/// Multiplies two matrices, always in float32: positions, scores, corrections of weights.
///
/// - Shapes: `a` `[m, k]`, `b` `[k, n]` (`[n, k]` with `transposingB`) → `[m, n]`.
/// - Saves: each factor if the other is tracked.
public func matmul(_ a: Tensor, _ b: Tensor, transposingB: Bool = false) -> Tensor {
  linear(a, b, nil, transposingB ? .outIn : .inOut, mayRound: false)
}

extension Kernels {
  /// Writes the same row `rows` times.
  static func fillRows(_ out: Pointer, with row: UnsafePointer<Float>, rows: Int, width: Int) {
    parallel(rows, grain: max(1, (1 << 15) / max(width, 1))) { range in
      for r in range { (out + r * width).update(from: row, count: width) }
    }
  }
}
