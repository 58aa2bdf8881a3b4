import CleftNN
import CleftTensor

/// Length of a step's whole gradient, and whether every element of it is a number.
///
/// One pass over all gradients; sums in Double over fixed blocks, so that the thread count changes nothing.
public struct GradientNorm: Sendable {
  /// Square root of the sum of all squares; not finite exactly if `broken` is set.
  public let total: Double
  /// Path of the first parameter, in the order of the groups, whose gradient is not finite; nil if all are.
  public let broken: String?

  /// Measures the gradients of the parameters in `groups`.
  public init(_ gradients: Gradients, _ groups: [ParameterGroup]) {
    let found = groups.flatMap(\.parameters).compactMap { parameter in
      gradients[parameter.cell.leaf].map { (path: parameter.path, gradient: $0) }
    }
    let sums = GradientKernels.sumsOfSquares(found.map(\.gradient))
    total = sums.reduce(0, +).squareRoot()
    broken = sums.firstIndex { !$0.isFinite }.map { found[$0].path }
  }

  /// What to multiply the gradients by so that they are at most `limit` long; 1 if they are, or for no limit.
  ///
  /// - Source: matches `torch.nn.utils.clip_grad_norm_`.
  public func scale(limit: Double?) -> Float {
    guard let limit else { return 1 }
    return Float(min(1, limit / (total + 1e-6)))
  }
}
