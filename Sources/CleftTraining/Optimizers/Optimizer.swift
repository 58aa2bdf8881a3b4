import CleftNN
import CleftTensor

/// Moves trained parameters along their gradients.
///
/// Parameters without a gradient are left alone: no decay, no state.
public protocol Optimizer: AnyObject {
  /// Name for logs, for example `AdamW`.
  var name: String { get }
  /// The parameters, in the groups whose rates are logged.
  var groups: [ParameterGroup] { get }
  /// One step at the given rate, every gradient multiplied by `gradientScale` first.
  ///
  /// - Returns: path of the first parameter with a value that is not finite afterwards; nil if all are.
  func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String?
  /// State tensors by key, for a checkpoint: those the optimizer works on, not copies.
  var state: [(key: String, tensor: Tensor)] { get }
  /// Takes up the state of a checkpoint.
  ///
  /// - Throws: `TrainingError.badData` naming the first tensor that is missing or has another shape.
  func restore(_ state: [String: Tensor]) throws(TrainingError)
  /// What `state` will hold later beside what the optimizer named `name` keeps of each parameter.
  var addedStateShapes: [(key: String, shape: Shape)] { get }
  /// What a run's summary should say, for example how often a value was held at its limit.
  var notes: [String] { get }
}

extension Optimizer {
  /// None.
  public var notes: [String] { [] }

  /// None.
  public var addedStateShapes: [(key: String, shape: Shape)] { [] }

  /// One step with the gradients as they are.
  @discardableResult
  public func step(_ gradients: Gradients, learningRate: Double) -> String? {
    step(gradients, learningRate: learningRate, gradientScale: 1)
  }
}

/// A trained parameter.
public struct OptimizedParameter {
  /// Checkpoint key.
  public let path: String
  /// The parameter.
  public let cell: ParameterCell

  /// Makes an entry.
  public init(path: String, cell: ParameterCell) {
    self.path = path
    self.cell = cell
  }
}

/// Trained parameters that share decay and rate.
public struct ParameterGroup {
  /// Name as the published program gives it, for example `layer_12_decay`; see `ParameterGroups`.
  public let name: String
  /// Decay per step, times the learning rate.
  public let weightDecay: Double
  /// The group's rate over the schedule's: 1 unless rates differ by layer.
  public let rateScale: Double
  /// The parameters, in the model's order.
  public let parameters: [OptimizedParameter]

  /// Makes a group.
  public init(
    name: String, weightDecay: Double, rateScale: Double = 1, parameters: [OptimizedParameter]
  ) {
    self.name = name
    self.weightDecay = weightDecay
    self.rateScale = rateScale
    self.parameters = parameters
  }
}
