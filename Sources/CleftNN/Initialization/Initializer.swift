import CleftTensor

/// How a parameter starts when no file gives its values.
public enum Initializer: Sendable, Equatable {
  case constant(Float)
  case uniform(bound: Float)
  case normal(deviation: Float)
  /// Normal, cut at two deviations.
  case truncatedNormal(deviation: Float)

  /// All zeros.
  public static var zeros: Initializer { .constant(0) }
  /// All ones.
  public static var ones: Initializer { .constant(1) }

  /// `nn.Linear`'s default: uniform ±1/√fanIn, for weight and bias.
  public static func linear(fanIn: Int) -> Initializer {
    .uniform(bound: 1 / Float(max(fanIn, 1)).squareRoot())
  }

  /// Draws a tensor on the thread budget; its values depend on the key and the shape alone.
  ///
  /// - Numerics: element for element those of `key.generator`, drawn one after the other.
  public func makeTensor(_ shape: Shape, key: RandomKey) -> Tensor {
    switch self {
    case .constant(let value): Tensor(shape, repeating: value)
    case .uniform(let bound): .uniform(shape, low: Double(-bound), high: Double(bound), key: key)
    case .normal(let deviation): .normal(shape, deviation: deviation, key: key)
    case .truncatedNormal(let deviation): .truncatedNormal(shape, deviation: deviation, key: key)
    }
  }
}
