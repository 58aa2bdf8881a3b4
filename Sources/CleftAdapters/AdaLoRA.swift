import CleftFormats
import CleftNN
import CleftTensor

/// Settings of AdaLoRA, with the published program's defaults.
public struct AdaLoRAConfig: AdapterConfig, Equatable {
  /// `ADALORA`.
  public static let peftType = "ADALORA"

  /// Rank at the start.
  public var initialRank = 12
  /// Mean rank at the end.
  public var targetRank = 8
  /// The correction is scaled by alpha / (initial rank + 1e-5).
  public var alpha: Float = 8
  /// Dropout on the adapter's input in training.
  public var dropout: Float = 0
  /// Layers to change; nil takes the model's default.
  public var targetModules: TargetModules?
  /// Steps at the full rank, and steps at the end with the final one.
  public var warmupSteps = 500, finalSteps = 1500
  /// Steps between two reallocations.
  public var interval = 1
  /// Smoothing of importance and uncertainty.
  public var beta1 = 0.85, beta2 = 0.85
  /// Weight of the orthogonality term in the loss.
  public var orthogonalityWeight: Float = 0.5
  /// Steps of the whole run; nil until a run sets it.
  public var totalSteps: Int?
  /// Whether ranks are reallocated and the orthogonality term is added (`--adalora_allocate`); the published program
  /// does neither.
  public var allocates = false

  enum CodingKeys: String, CodingKey {
    case initialRank = "init_r"
    case targetRank = "target_r"
    case alpha = "lora_alpha"
    case dropout = "lora_dropout"
    case targetModules = "target_modules"
    case warmupSteps = "tinit"
    case finalSteps = "tfinal"
    case interval = "deltaT"
    case beta1, beta2
    case orthogonalityWeight = "orth_reg_weight"
    case totalSteps = "total_step"
    case allocates = "cleft_allocates"
    case bias
  }

  /// Writes settings under PEFT's names.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(initialRank, forKey: .initialRank)
    try values.encode(targetRank, forKey: .targetRank)
    try values.encode(alpha, forKey: .alpha)
    try values.encode(dropout, forKey: .dropout)
    try values.encodeIfPresent(targetModules, forKey: .targetModules)
    try values.encode(warmupSteps, forKey: .warmupSteps)
    try values.encode(finalSteps, forKey: .finalSteps)
    try values.encode(interval, forKey: .interval)
    try values.encode(beta1, forKey: .beta1)
    try values.encode(beta2, forKey: .beta2)
    try values.encode(orthogonalityWeight, forKey: .orthogonalityWeight)
    try values.encodeIfPresent(totalSteps, forKey: .totalSteps)
    try values.encode(allocates, forKey: .allocates)
    try values.encode("none", forKey: .bias)
  }

  /// Makes the published settings.
  public init() {}

  /// Reads settings; what is left out gets the published default.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, into place: inout Value) throws {
      place = try values.decodeIfPresent(Value.self, forKey: key) ?? place
    }
    try read(.initialRank, into: &initialRank)
    try read(.targetRank, into: &targetRank)
    try read(.alpha, into: &alpha)
    try read(.dropout, into: &dropout)
    targetModules = try values.decodeIfPresent(TargetModules.self, forKey: .targetModules)
    try read(.warmupSteps, into: &warmupSteps)
    try read(.finalSteps, into: &finalSteps)
    try read(.interval, into: &interval)
    try read(.beta1, into: &beta1)
    try read(.beta2, into: &beta2)
    try read(.orthogonalityWeight, into: &orthogonalityWeight)
    totalSteps = try values.decodeIfPresent(Int.self, forKey: .totalSteps)
    try read(.allocates, into: &allocates)
    let bias = try values.decodeIfPresent(String.self, forKey: .bias) ?? "none"
    if bias != "none" {
      throw DecodingError.dataCorruptedError(
        forKey: .bias, in: values, debugDescription: "bias '\(bias)'; expected none")
    }
    if !(alpha > 0) {
      throw DecodingError.dataCorruptedError(
        forKey: .alpha, in: values, debugDescription: "lora_alpha \(alpha); expected above 0")
    }
    try requireNeutral(unsupportedLoRASettings + ["layers_to_transform", "use_dora", "use_rslora"], decoder)
  }

  /// `lora_`.
  public var parameterMark: String { "lora_" }

  /// Puts a correction on the targeted linear layers and freezes the rest.
  public func apply(to root: any Module, _ place: AdapterPlace) throws(AdapterError) -> [String] {
    guard targetRank > 0, initialRank >= targetRank, interval > 0 else {
      throw .badSetting(
        Problem(
          "adalora", found: "init_r \(initialRank), target_r \(targetRank), deltaT \(interval)",
          expected: "init_r ≥ target_r ≥ 1, deltaT ≥ 1"))
    }
    return try addBranches(to: root, targetModules ?? .names(place.targets.lowRank)) {
      path, base throws(AdapterError) in
      let limit = min(base.inputSize, base.outputSize)
      guard initialRank <= limit else {
        throw .badSetting(Problem(path, found: "init_r \(initialRank)", expected: "1 ... \(limit)"))
      }
      return AdaLoRABranch(base, self, name: place.name)
    }
  }
}

/// A correction in the form of singular values: `A` and `B` kept near orthogonal, small `E` set to zero.
///
/// `y = x·W + b + dropout(x)·(A ⊙ E)ᵀ·Bᵀ · alpha / (rank + 1e-5)`
///
/// - Shapes: `A` `[rank, in]`, `E` `[rank, 1]`, `B` `[out, rank]`; `ranknum` `[1]` is the rank at the start, not trained.
/// - Initial state: all normal with deviation 0.02, as the published versions of PEFT: the correction is not zero.
/// - Source: Zhang et al. 2023, arXiv 2303.10512. Matches PEFT `adalora.SVDLinear`.
public final class AdaLoRABranch: AdapterBranch {
  @Parameter var a: Tensor
  @Parameter var b: Tensor
  @Parameter var e: Tensor
  @Buffer var rankNumber: Tensor
  /// Name of the adapter.
  public let adapterName: String
  private let config: AdaLoRAConfig

  init(_ base: Linear, _ config: AdaLoRAConfig, name: String) {
    self.config = config
    adapterName = name
    let (rank, start) = (config.initialRank, Initializer.normal(deviation: 0.02))
    _a = Parameter("lora_A.\(name)", [rank, base.inputSize], start)
    _b = Parameter("lora_B.\(name)", [base.outputSize, rank], start)
    _e = Parameter("lora_E.\(name)", [rank, 1], start)
    _rankNumber = Buffer("ranknum.\(name)", [1], .constant(Float(rank)))
  }

  private var scale: Float { config.alpha / (rankNumber.item + 1e-5) }

  /// That of the correction's input.
  public var dropout: Float { config.dropout }

  /// Adds the correction.
  public func output(_ y: Tensor, _ x: Tensor, _ base: Linear, _ context: ForwardContext) -> Tensor {
    let narrow = scaleColumns(linear(context.dropout(x, config.dropout, "lora"), a, nil), by: e)
    return y + linear(narrow, b, nil) * scale
  }

  /// The published alpha is 8.
  public var scaleOverPublished: Float? { config.alpha / 8 }

  /// Puts the correction into the matrix.
  public func merged(_ weights: LinearWeights) -> LinearWeights {
    var weights = weights
    weights.addProduct(scaleColumns($b.value, by: $e.value), $a.value, scale: scale)
    return weights
  }

  /// How far the factors are from orthogonal: `‖A·Aᵀ - I‖` and `‖Bᵀ·B - I‖`, scalars.
  var orthogonalityTerms: [Tensor] { [orthogonality(a, ofRows: true), orthogonality(b, ofRows: false)] }
}
