import CleftNN
import CleftTensor
import Foundation

/// An optimizer after whose steps `logit_scale` is at most the logarithm of a limit.
///
/// - Source: open_clip clamps to ln 100 after each step.
public final class MaxLogitScale: Optimizer {
  private let optimizer: any Optimizer
  private let limit: Float
  private let cells: [ParameterCell]
  /// Steps of this process after which the value was above the limit and was set to it.
  public private(set) var heldSteps = 0

  /// Wraps an optimizer.
  ///
  /// - Parameter limit: largest factor `exp(logit_scale)`, above 0.
  public init(_ optimizer: any Optimizer, limit: Float) {
    self.optimizer = optimizer
    self.limit = limit
    cells = optimizer.groups.flatMap(\.parameters).filter { $0.path == "logit_scale" }.map(\.cell)
  }

  /// The optimizer's name.
  public var name: String { optimizer.name }

  /// The optimizer's groups.
  public var groups: [ParameterGroup] { optimizer.groups }

  /// The optimizer's notes, and how often the limit was met.
  public var notes: [String] {
    let option = "--max_logit_scale \(limit)"
    if cells.isEmpty { return optimizer.notes + ["\(option) has no effect: logit_scale is not trained."] }
    if heldSteps == 0 { return optimizer.notes }
    return optimizer.notes + ["\(option) held logit_scale back after \(heldSteps) step(s)."]
  }

  /// One step, then the limit.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    let broken = optimizer.step(gradients, learningRate: learningRate, gradientScale: gradientScale)
    let highest = Float(log(Double(limit)))
    for cell in cells where cell.value.item > highest {
      cell.value.withMutablePointer { $0[0] = highest }
      heldSteps += 1
    }
    return broken
  }

  /// The optimizer's state.
  public var state: [(key: String, tensor: Tensor)] { optimizer.state }

  /// The optimizer's.
  public var addedStateShapes: [(key: String, shape: Shape)] { optimizer.addedStateShapes }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) { try optimizer.restore(state) }
}
