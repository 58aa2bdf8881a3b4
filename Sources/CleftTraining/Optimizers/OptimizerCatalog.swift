import CleftFormats

/// What the options say about the optimizer.
public struct OptimizerSettings: Sendable {
  /// Adam's and Adafactor's beta1, SGD's momentum.
  public var momentum: Double
  /// Whether weights, gradients and state live in bfloat16 without a finer copy, as published under `bf16-true`.
  public var isHalfStored: Bool
  /// Largest factor `exp(logit_scale)`; nil for no limit, as published.
  public var maxLogitScale: Float?

  /// Makes settings.
  public init(momentum: Double, isHalfStored: Bool = false, maxLogitScale: Float? = nil) {
    self.momentum = momentum
    self.isHalfStored = isHalfStored
    self.maxLogitScale = maxLogitScale
  }
}

/// Every optimizer by name.
///
/// A new one is a file and one line here.
public enum OptimizerCatalog {
  /// One optimizer.
  public struct Entry: Sendable {
    /// Name in options and presets.
    public let name: String
    /// One line for help.
    public let summary: String
    /// Whether its state is bfloat16 where the weights are.
    let hasHalfState: Bool
    let makePlain: @Sendable ([ParameterGroup], OptimizerSettings) -> any Optimizer

    /// Makes the optimizer with what the settings put around it.
    public func make(_ groups: [ParameterGroup], _ settings: OptimizerSettings) -> any Optimizer {
      var optimizer = makePlain(groups, settings)
      if let limit = settings.maxLogitScale { optimizer = MaxLogitScale(optimizer, limit: limit) }
      return settings.isHalfStored ? HalfStored(optimizer, roundsState: hasHalfState) : optimizer
    }
  }

  /// All optimizers; the first one is the default.
  public static let all = [
    Entry(name: "adamw", summary: "Adam with decoupled weight decay (the default)", hasHalfState: true) {
      AdamW($0, beta1: $1.momentum)
    },
    Entry(name: "sgd", summary: "gradient descent with momentum", hasHalfState: true) {
      SGD($0, momentum: $1.momentum)
    },
    Entry(name: "adafactor", summary: "factored second moments: less memory", hasHalfState: false) {
      Adafactor($0, beta1: $1.momentum)
    },
  ]

  /// The optimizer of a name.
  ///
  /// - Parameter option: where the name was given.
  /// - Throws: `TrainingError.badConfiguration` listing the names there are.
  public static func named(_ name: String, option: String = "--optimizer") throws(TrainingError) -> Entry {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    throw .badConfiguration(
      Problem(option, found: "'\(name)'", expected: "one of \(all.map(\.name).joined(separator: ", "))"))
  }
}
