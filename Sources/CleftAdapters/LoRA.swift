import CleftFormats
import CleftNN
import CleftTensor

/// Settings of LoRA, with CLEFT's defaults.
public struct LoRAConfig: AdapterConfig, Equatable {
  /// Rank of the correction.
  public var rank: Int
  /// The correction is scaled by alpha / rank.
  public var alpha: Float
  /// Dropout on the adapter's input in training.
  public var dropout: Float
  /// Names of the layers to wrap; nil takes the model's default.
  public var targetModules: [String]?

  enum CodingKeys: String, CodingKey {
    case rank = "r"
    case alpha = "lora_alpha"
    case dropout = "lora_dropout"
    case targetModules = "target_modules"
  }

  /// Makes settings.
  public init(rank: Int = 8, alpha: Float = 32, dropout: Float = 0.1, targetModules: [String]? = nil) {
    self.rank = rank
    self.alpha = alpha
    self.dropout = dropout
    self.targetModules = targetModules
  }

  /// `lora_`.
  public var parameterMark: String { "lora_" }

  /// Wraps the targeted linear layers and freezes the rest.
  public func apply(to root: any Module, defaults: AdapterTargets) throws(AdapterError) -> [String] {
    let targets = targetModules ?? defaults.attention
    let paths = linearPaths(in: root)
    try requireTargets(targets, among: paths)
    var failure: AdapterError?
    root.setTrainable(false)
    let replaced = root.replaceChildren { path, module in
      guard failure == nil, isTarget(path, targets), let base = module as? Linear else { return nil }
      guard rank > 0, rank <= min(base.inputSize, base.outputSize) else {
        failure = .badSetting(
          Problem(
            path, found: "rank \(rank)", expected: "1 ... \(min(base.inputSize, base.outputSize))",
            hint: "Choose a smaller rank."))
        return nil
      }
      return LoRALinear(base, self)
    }
    if let failure { throw failure }
    return replaced
  }
}

/// Multiplies by a frozen matrix plus a trained low-rank correction.
///
/// `y = x·W + b + (alpha / rank) · dropout(x)·Aᵀ·Bᵀ`
///
/// - Shapes: `x` `[..., in]` → `[..., out]`; `A` `[rank, in]`; `B` `[out, rank]`.
/// - Initial state: `A` Kaiming-uniform with a = √5, `B` zero, so the output equals the base layer's.
/// - Source: Hu et al. 2021, arXiv 2106.09685, §4.1. Matches PEFT `lora.Linear`.
public final class LoRALinear: AdaptedLayer {
  @Child("base_layer") var baseLayer: Linear
  @Parameter var a: Tensor
  @Parameter var b: Tensor
  /// Settings.
  public let config: LoRAConfig

  init(_ base: Linear, _ config: LoRAConfig) {
    self.config = config
    _baseLayer.wrappedValue = base
    _a = Parameter(
      "lora_A.default.weight", [config.rank, base.inputSize], .linear(fanIn: base.inputSize))
    _b = Parameter("lora_B.default.weight", [base.outputSize, config.rank], .zeros)
  }

  /// The wrapped layer.
  public var base: any UnaryLayer { baseLayer }

  private var scale: Float { config.alpha / Float(config.rank) }

  /// Applies the layer.
  public func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    let narrow = linear(context.dropout(x, config.dropout, "lora"), a, nil)
    return baseLayer(x, context) + linear(narrow, b, nil) * scale
  }

  /// A plain layer with the correction in its weights.
  public func merged() -> any UnaryLayer {
    let layer = Linear(
      baseLayer.inputSize, baseLayer.outputSize, bias: baseLayer.bias != nil, layout: baseLayer.layout)
    layer.$weight.value = withoutGradients {
      let correction =
        baseLayer.layout == .outIn
        ? matmul(b, a) : linear(transposed(a), b, nil)
      return baseLayer.weight + correction * scale
    }
    if let bias = baseLayer.bias { layer.$bias?.value = bias.copied() }
    return layer
  }
}

/// A copy with the two axes exchanged.
private func transposed(_ x: Tensor) -> Tensor {
  let (rows, columns) = (x.shape[0], x.shape[1])
  let values = x.array
  return Tensor([columns, rows], (0..<rows * columns).map { values[$0 % rows * columns + $0 / rows] })
}
