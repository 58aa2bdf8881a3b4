import CleftTensor

/// Multiplies by a matrix and adds a bias.
///
/// - Shapes: `[..., in]` → `[..., out]`; `weight` stored `[out, in]` (`.outIn`) or `[in, out]` (`.inOut`, GPT-2).
public final class Linear: UnaryLayer {
  /// The matrix.
  @Parameter public var weight: Tensor
  /// The bias `[out]`.
  @OptionalParameter public var bias: Tensor?
  /// How the matrix is stored.
  public let layout: WeightLayout
  /// Channels in and out.
  public let inputSize, outputSize: Int

  /// Makes a layer; by default it starts as `torch.nn.Linear` does.
  public init(
    _ inputSize: Int, _ outputSize: Int, bias hasBias: Bool = true, layout: WeightLayout = .outIn,
    initializer: Initializer? = nil, biasInitializer: Initializer? = nil
  ) {
    self.layout = layout
    (self.inputSize, self.outputSize) = (inputSize, outputSize)
    let start = Initializer.linear(fanIn: inputSize)
    let shape: Shape = layout == .outIn ? [outputSize, inputSize] : [inputSize, outputSize]
    _weight = Parameter("weight", shape, initializer ?? start)
    _bias = OptionalParameter(
      "bias", [outputSize], biasInitializer ?? (initializer == nil ? start : .zeros), isPresent: hasBias)
  }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    product(x, adding: nil, halves: context.halvesResults)
  }

  /// Applies the layer and adds the result to `sum` in the same product.
  public func callAsFunction(_ x: Tensor, adding sum: LinearSum, _ context: ForwardContext) -> Tensor {
    product(x, adding: sum, halves: false)
  }

  private func product(_ x: Tensor, adding sum: LinearSum?, halves: Bool) -> Tensor {
    if !$weight.isTrainable, Runtime.roundsProduct(outputSize, inputSize) {
      return linear(x, frozen: $weight.half, bias, layout: layout, adding: sum, halves: halves)
    }
    return linear(x, weight, bias, layout: layout, adding: sum, halves: halves)
  }
}
