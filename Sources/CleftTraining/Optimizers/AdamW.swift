import CleftNN
import CleftTensor

/// Adam with decoupled weight decay.
///
/// - Source: Loshchilov and Hutter 2017, arXiv 1711.05101. Matches `torch.optim.AdamW`.
public final class AdamW: Optimizer {
  private struct Slot {
    var step: Int
    var firstMoment: Tensor
    var secondMoment: Tensor
  }

  /// Name for logs.
  public let name = "AdamW"
  /// The parameters.
  public let groups: [ParameterGroup]
  private let beta1, beta2, epsilon: Double
  private var slots: [String: Slot] = [:]

  /// Makes an optimizer.
  public init(
    _ groups: [ParameterGroup], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8
  ) {
    self.groups = groups
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
  }

  /// One step.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    for group in groups {
      for parameter in group.parameters {
        guard let gradient = gradients[parameter.cell.leaf] else { continue }
        let shape = parameter.cell.shape
        var slot =
          slots[parameter.path] ?? Slot(step: 0, firstMoment: Tensor(shape), secondMoment: Tensor(shape))
        slot.step += 1
        let value = parameter.cell.value
        value.withMutablePointer { value in
          gradient.read { gradient in
            slot.firstMoment.withMutablePointer { first in
              slot.secondMoment.withMutablePointer { second in
                OptimizerKernels.adamW(
                  parameter: value, gradient: gradient, firstMoment: first, secondMoment: second,
                  count: shape.count,
                  learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
                  weightDecay: group.weightDecay, step: slot.step)
              }
            }
          }
        }
        slots[parameter.path] = slot
      }
    }
    return nil
  }

  /// `step.…`, `exp_avg.…`, `exp_avg_sq.…` for each parameter that has moved.
  public var state: [(key: String, tensor: Tensor)] {
    slots.keys.sorted().flatMap { path -> [(key: String, tensor: Tensor)] in
      guard let slot = slots[path] else { return [] }
      return [
        ("step.\(path)", Tensor([], [Float(slot.step)])), ("exp_avg.\(path)", slot.firstMoment),
        ("exp_avg_sq.\(path)", slot.secondMoment),
      ]
    }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) {
    for parameter in groups.flatMap(\.parameters) {
      guard let step = state["step.\(parameter.path)"], let first = state["exp_avg.\(parameter.path)"],
        let second = state["exp_avg_sq.\(parameter.path)"]
      else { continue }
      slots[parameter.path] = Slot(
        step: Int(step.item), firstMoment: first.copied(), secondMoment: second.copied())
    }
  }
}
