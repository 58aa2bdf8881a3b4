/// How a weight matrix lies in memory and on disk.
public enum WeightLayout: Sendable {
  /// `[out, in]`, as PyTorch's `Linear` stores it.
  case outIn
  /// `[in, out]`, as GPT-2's `Conv1D` stores it.
  case inOut
}

/// What a linear layer's result is added to.
public struct LinearSum {
  /// The other term, of the result's shape.
  public var residual: Tensor
  /// Factor of each output, bias included, before it is added (LayerScale); nil for 1.
  public var scale: Tensor?

  /// Names the other term.
  public init(_ residual: Tensor, scale: Tensor? = nil) {
    self.residual = residual
    self.scale = scale
  }
}

/// Multiplies by a weight matrix and adds a bias.
///
/// `y = x·Wᵀ + b`, the transpose being a flag of the product, never a copy; with `adding`, `y = residual + γ ⊙ (x·Wᵀ + b)`
/// in the same product, the factors being part of the matrix.
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `weight` `[out, in]` or `[in, out]`; `bias` and `γ` `[out]`.
/// - Saves: `x` if the weight or γ is tracked; the weight.
/// - Parameter halves: whether the result may be in bfloat16 where the factors are.
public func linear(
  _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, layout: WeightLayout = .outIn, adding sum: LinearSum? = nil,
  halves: Bool = false
) -> Tensor {
  let (outAxis, inAxis) = layout == .outIn ? (0, 1) : (1, 0)
  precondition(
    weight.shape.rank == 2 && x.shape.last == weight.shape[inAxis],
    "linear: [\(x.shape)] × [\(weight.shape)] \(layout)")
  let rounds = Runtime.roundsProduct(weight.shape[outAxis], weight.shape[inAxis])
  let product = LinearProduct(
    weight: .full(weight.detached), rounds: rounds, layout: layout, bias: bias?.detached,
    scale: sum?.scale?.detached)
  return product.result(
    x, weightNode: weight.node, biasNode: bias?.node, adding: sum, halves: halves)
}

/// Multiplies by a frozen bfloat16 matrix and adds a bias.
///
/// `y = x·Wᵀ + b` with `x` rounded to bfloat16 and sums in float32.
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `weight` `[out, in]` or `[in, out]`; `bias` `[out]`.
/// - Saves: the matrix.
/// - Parameter halves: whether the result may be in bfloat16 too.
public func linear(
  _ x: Tensor, frozen weight: HalfMatrix, _ bias: Tensor?, layout: WeightLayout, adding sum: LinearSum? = nil,
  halves: Bool = false
) -> Tensor {
  let product = LinearProduct(
    weight: .half(weight), rounds: true, layout: layout, bias: bias?.detached, scale: sum?.scale?.detached)
  return product.result(x, weightNode: nil, biasNode: bias?.node, adding: sum, halves: halves)
}

/// `linear` with both factors rounded, whatever `Runtime.productType` says.
package func roundedLinear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, layout: WeightLayout) -> Tensor {
  let product = LinearProduct(
    weight: .full(weight.detached), rounds: true, layout: layout, bias: bias?.detached, scale: nil)
  return product.result(x, weightNode: weight.node, biasNode: bias?.node, adding: nil, halves: false)
}

/// Multiplies two matrices, always in float32: positions, scores, corrections of weights.
///
/// - Shapes: `a` `[m, k]`, `b` `[k, n]` (`[n, k]` with `transposingB`) → `[m, n]`.
/// - Saves: `a` if `b` is tracked; `b`.
public func matmul(_ a: Tensor, _ b: Tensor, transposingB: Bool = false) -> Tensor {
  let product = LinearProduct(
    weight: .full(b.detached), rounds: false, layout: transposingB ? .outIn : .inOut, bias: nil, scale: nil)
  return product.result(a, weightNode: b.node, biasNode: nil, adding: nil, halves: false)
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
