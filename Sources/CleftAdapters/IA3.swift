import CleftFormats
import CleftNN
import CleftTensor

/// Settings of IA3, with CLEFT's defaults.
public struct IA3Config: AdapterConfig, Equatable {
  /// `IA3`.
  public static let peftType = "IA3"

  /// Layers to scale; nil takes the model's.
  public var targetModules: TargetModules?
  /// Those of them whose inputs are scaled instead of their outputs; nil takes the model's feed-forward layers.
  public var feedForwardModules: TargetModules?

  enum CodingKeys: String, CodingKey {
    case targetModules = "target_modules"
    case feedForwardModules = "feedforward_modules"
  }

  /// Makes settings.
  public init(targetModules: TargetModules? = nil, feedForwardModules: TargetModules? = nil) {
    self.targetModules = targetModules
    self.feedForwardModules = feedForwardModules
  }

  /// Reads settings.
  ///
  /// - Throws: `DecodingError` for a setting that would silently be computed otherwise.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    targetModules = try values.decodeIfPresent(TargetModules.self, forKey: .targetModules)
    feedForwardModules = try values.decodeIfPresent(TargetModules.self, forKey: .feedForwardModules)
    try requireNeutral(["modules_to_save", "exclude_modules"], decoder)
  }

  /// `ia3_`.
  public var parameterMark: String { "ia3_" }

  /// Puts factors on the targeted linear layers and freezes the rest.
  public func apply(to root: any Module, _ place: AdapterPlace) throws(AdapterError) -> [String] {
    let feedForward = feedForwardModules ?? .names(place.targets.feedForward)
    let inputs: Set<String>
    switch feedForward {
    case .names([]): inputs = []
    default: inputs = try feedForward.matches(among: linearPaths(in: root))
    }
    return try addBranches(to: root, targetModules ?? .names(place.targets.scaled)) { path, base in
      IA3Branch(base, scalesInput: inputs.contains(path), name: place.name)
    }
  }
}

/// Trained factors on the outputs of a frozen linear layer, or on its inputs.
///
/// `y = l ⊙ (x·W + b)`, or `y = (l ⊙ x)·W + b` in feed-forward layers.
///
/// - Shapes: `l` stored `[out, 1]`, or `[1, in]` in feed-forward layers.
/// - Initial state: `l` is 1, so the output equals the base layer's.
/// - Source: Liu et al. 2022, arXiv 2205.05638, §3.3. Matches PEFT `ia3.Linear`.
public final class IA3Branch: AdapterBranch {
  @Parameter var factors: Tensor
  /// Whether inputs are scaled instead of outputs.
  public let scalesInput: Bool
  /// Name of the adapter.
  public let adapterName: String

  init(_ base: Linear, scalesInput: Bool, name: String) {
    self.scalesInput = scalesInput
    adapterName = name
    let shape: Shape = scalesInput ? [1, base.inputSize] : [base.outputSize, 1]
    _factors = Parameter("ia3_l.\(name)", shape, .ones)
  }

  /// None.
  public var dropout: Float { 0 }

  /// Scales the inputs of a feed-forward layer.
  public func input(_ x: Tensor) -> Tensor { scalesInput ? scaleColumns(x, by: factors) : x }

  /// Scales the outputs of the other layers.
  public func output(_ y: Tensor, _ x: Tensor, _ base: Linear, _ context: ForwardContext) -> Tensor {
    scalesInput ? y : scaleColumns(y, by: factors)
  }

  /// Puts the factors into the weights.
  public func merged(_ weights: LinearWeights) -> LinearWeights {
    var weights = weights
    let factors = $factors.value
    if scalesInput {
      weights.scaleInputs(factors)
    } else {
      weights.scaleOutputs(factors)
      weights.bias = weights.bias.map { scaleColumns($0, by: factors) }
    }
    return weights
  }
}
