import CleftNN
import CleftTensor

/// Moves trained parameters along their gradients.
///
/// Parameters without a gradient are left alone: no decay, no state.
public protocol Optimizer: AnyObject {
  /// Name for logs, for example `AdamW`.
  var name: String { get }
  /// One step at the given rate.
  func step(_ gradients: Gradients, learningRate: Double)
  /// State tensors by key, for a checkpoint.
  var state: [(key: String, tensor: Tensor)] { get }
  /// Takes up the state of a checkpoint.
  func restore(_ state: [String: Tensor])
}

/// A trained parameter with the decay of its group.
public struct OptimizedParameter {
  /// Checkpoint key.
  public let path: String
  /// The parameter.
  public let cell: ParameterCell
  /// Decay per step, times the learning rate.
  public let weightDecay: Double

  /// Makes an entry.
  public init(path: String, cell: ParameterCell, weightDecay: Double) {
    self.path = path
    self.cell = cell
    self.weightDecay = weightDecay
  }
}

/// How parameters are divided into those that decay and those that do not.
public enum ParameterGroups {
  /// The published rule: tensors with exactly one axis do not decay, all others do.
  ///
  /// - Parameter decaysLogitScale: the published program decays its temperature; cleft does not unless asked.
  public static func published(
    _ root: any Module, weightDecay: Double, decaysLogitScale: Bool
  ) -> [OptimizedParameter] {
    root.parameters.filter(\.cell.isTrainable).map { named in
      let isExempt = named.cell.shape.rank == 1 || (named.path == "logit_scale" && !decaysLogitScale)
      return OptimizedParameter(path: named.path, cell: named.cell, weightDecay: isExempt ? 0 : weightDecay)
    }
  }

  /// `--no_lrd`: decay on everything.
  public static func single(_ root: any Module, weightDecay: Double) -> [OptimizedParameter] {
    root.parameters.filter(\.cell.isTrainable).map {
      OptimizedParameter(path: $0.path, cell: $0.cell, weightDecay: weightDecay)
    }
  }
}
