/// Multiplies by a frozen bfloat16 matrix and adds a bias.
///
/// `y = x·Wᵀ + b` with `x` rounded to bfloat16 and sums in float32.
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `weight` `[out, in]` or `[in, out]`; `bias` `[out]`.
/// - Saves: the matrix.
public func linear(_ x: Tensor, frozen weight: HalfMatrix, _ bias: Tensor?, layout: WeightLayout) -> Tensor {
  halfLinear(x, weight, node: nil, bias, layout)
}

/// The same with a matrix that may be trained; `node` is its place in the tape.
///
/// - Saves: `x` in bfloat16 if the matrix is tracked, the matrix if `x` is.
package func halfLinear(
  _ x: Tensor, _ weight: HalfMatrix, node: Node?, _ bias: Tensor?, _ layout: WeightLayout
) -> Tensor {
  let (out, width) = layout == .outIn ? (weight.rows, weight.columns) : (weight.columns, weight.rows)
  precondition(x.shape.last == width, "linear: [\(x.shape)] × [\(weight.rows)x\(weight.columns)] \(layout)")
  precondition(bias.map { $0.count == out } ?? true, "linear: bias [\(bias?.shape ?? [])] for \(out) outputs")
  let rows = x.shape.rows
  let half = HalfMatrix(rounding: x)
  let result = Tensor(uninitialized: x.shape.replacingLast(out))
  result.withMutablePointer { y in
    if let bias { bias.read { Kernels.fillRows(y, with: $0, rows: rows, width: out) } }
    Kernels.matmul(
      HalfOperand(half), HalfOperand(weight, transposed: layout == .outIn), into: y, m: rows, n: out,
      k: width,
      beta: bias == nil ? 0 : 1)
  }
  let savedInput = node == nil ? nil : half
  let savedWeight = x.isTracked ? weight : nil
  let (inputShape, weightShape) = (x.shape, Shape([weight.rows, weight.columns]))
  return result.recorded([x.node, node, bias?.node]) { gradient, sink in
    let dy = HalfMatrix(rounding: gradient)
    if sink.wants(0), let savedWeight {
      sink.accumulate(0, inputShape) { target, beta in
        Kernels.matmul(
          HalfOperand(dy), HalfOperand(savedWeight, transposed: layout == .inOut), into: target, m: rows,
          n: width, k: out, beta: beta)
      }
    }
    if sink.wants(1), let savedInput {
      sink.accumulate(1, weightShape) { target, beta in
        let (dyT, xT) = (
          HalfOperand(dy, transposed: layout == .outIn), HalfOperand(savedInput, transposed: layout == .inOut)
        )
        if layout == .outIn {
          Kernels.matmul(dyT, xT, into: target, m: out, n: width, k: rows, beta: beta)
        } else {
          Kernels.matmul(xT, dyT, into: target, m: width, n: out, k: rows, beta: beta)
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

extension Runtime {
  /// What the factors of matrix products are rounded to.
  public enum ProductType: Int, Sendable {
    /// Nothing is rounded.
    case float32
    /// Products of two large matrices take bfloat16 factors and sum in float32.
    case bfloat16
  }

  /// Whether a product of these extents is worth rounding: narrow ones, as of adapters, stay in float32.
  public static func roundsProduct(_ out: Int, _ width: Int) -> Bool {
    productType == .bfloat16 && min(out, width) >= 32
  }
}
