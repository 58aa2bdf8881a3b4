import CleftFormats
import CleftNN
import CleftTensor

/// Settings of IA3, with CLEFT's defaults.
public struct IA3Config: AdapterConfig, Equatable {
  /// Names of the layers to scale; nil takes the model's attention and feed-forward layers.
  public var targetModules: [String]?
  /// Those of them whose inputs are scaled instead of their outputs; nil takes the model's feed-forward layers.
  public var feedForwardModules: [String]?

  enum CodingKeys: String, CodingKey {
    case targetModules = "target_modules"
    case feedForwardModules = "feedforward_modules"
  }

  /// Makes settings.
  public init(targetModules: [String]? = nil, feedForwardModules: [String]? = nil) {
    self.targetModules = targetModules
    self.feedForwardModules = feedForwardModules
  }

  /// `ia3_`.
  public var parameterMark: String { "ia3_" }

  /// Wraps the targeted linear layers and freezes the rest.
  public func apply(to root: any Module, defaults: AdapterTargets) throws(AdapterError) -> [String] {
    let feedForward = feedForwardModules ?? defaults.feedForward
    let targets = targetModules ?? defaults.attention + feedForward
    try requireTargets(targets, among: linearPaths(in: root))
    root.setTrainable(false)
    return root.replaceChildren { path, module in
      guard isTarget(path, targets), let base = module as? Linear else { return nil }
      return IA3Linear(base, scalesInput: isTarget(path, feedForward))
    }
  }
}

/// Multiplies by a frozen matrix and scales its outputs, or its inputs, by a trained vector.
///
/// `y = l ⊙ (x·W + b)`, or `y = (l ⊙ x)·W + b` in feed-forward layers.
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `l` stored `[out, 1]`, or `[1, in]` in feed-forward layers.
/// - Initial state: `l` is 1, so the output equals the base layer's.
/// - Source: Liu et al. 2022, arXiv 2205.05638, §3.3. Matches PEFT `ia3.Linear`.
public final class IA3Linear: AdaptedLayer {
  @Child("base_layer") var baseLayer: Linear
  @Parameter var factors: Tensor
  /// Whether inputs are scaled instead of outputs.
  public let scalesInput: Bool

  init(_ base: Linear, scalesInput: Bool) {
    self.scalesInput = scalesInput
    let shape: Shape = scalesInput ? [1, base.inputSize] : [base.outputSize, 1]
    _factors = Parameter("ia3_l.default", shape, .ones)
    _baseLayer.wrappedValue = base
  }

  /// The wrapped layer.
  public var base: any UnaryLayer { baseLayer }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    scalesInput
      ? baseLayer(scaleColumns(x, by: factors), context) : scaleColumns(baseLayer(x, context), by: factors)
  }

  /// A plain layer with the vector in its weights.
  public func merged() -> any UnaryLayer {
    let layer = Linear(
      baseLayer.inputSize, baseLayer.outputSize, bias: baseLayer.bias != nil, layout: baseLayer.layout)
    let (rows, columns) = (baseLayer.weight.shape[0], baseLayer.weight.shape[1])
    let scale = factors.array
    // Outputs are the rows of [out, in] and the columns of [in, out]; inputs the other way round.
    let alongRows = (baseLayer.layout == .outIn) != scalesInput
    let weight = baseLayer.weight.array
    layer.$weight.value = Tensor(
      [rows, columns], weight.indices.map { weight[$0] * scale[alongRows ? $0 / columns : $0 % columns] })
    if let bias = baseLayer.bias {
      layer.$bias?.value =
        scalesInput ? bias.copied() : withoutGradients { scaleColumns(bias, by: factors.detached) }
    }
    return layer
  }
}
