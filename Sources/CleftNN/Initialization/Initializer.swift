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

  /// Draws a tensor; element `i` depends on the key and `i` alone.
  public func makeTensor(_ shape: Shape, key: RandomKey) -> Tensor {
    if case .constant(let value) = self { return Tensor(shape, repeating: value) }
    let tensor = Tensor(uninitialized: shape)
    var generator = key.generator
    tensor.withMutablePointer { out in
      for i in 0..<shape.count {
        switch self {
        case .constant(let value): out[i] = value
        case .uniform(let bound): out[i] = Float(generator.uniform(Double(-bound), Double(bound)))
        case .normal(let deviation): out[i] = Float(generator.normal()) * deviation
        case .truncatedNormal(let deviation):
          var draw = generator.normal()
          while abs(draw) > 2 { draw = generator.normal() }
          out[i] = Float(draw) * deviation
        }
      }
    }
    return tensor
  }
}
