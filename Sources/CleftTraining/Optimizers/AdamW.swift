import CleftNN
import CleftTensor

/// Adam with decoupled weight decay.
///
/// - Numerics: float32; the corrections of the moments in Double.
/// - Source: Loshchilov and Hutter 2017, arXiv 1711.05101. Matches `torch.optim.AdamW`.
public final class AdamW: Optimizer {
  private struct Slot {
    var step: Int
    let firstMoment, secondMoment: Tensor
  }

  /// Name for logs.
  public let name = "AdamW"
  /// The parameters.
  public let groups: [ParameterGroup]
  private let beta1, beta2, epsilon: Double
  private let members: [GroupedParameter]
  private var slots: [Slot?]

  /// Makes an optimizer.
  public init(
    _ groups: [ParameterGroup], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8
  ) {
    self.groups = groups
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    members = groups.members
    slots = Array(repeating: nil, count: members.count)
  }

  /// One step.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    var parts: [OptimizerKernels.AdamWPart] = []
    var moved: [Int] = []
    for (index, member) in members.enumerated() {
      guard let gradient = gradients[member.cell.leaf] else { continue }
      let shape = member.cell.shape
      var slot = slots[index] ?? Slot(step: 0, firstMoment: Tensor(shape), secondMoment: Tensor(shape))
      slot.step += 1
      slots[index] = slot
      moved.append(index)
      parts.append(
        OptimizerKernels.AdamWPart(
          parameter: member.cell.value, gradient: gradient, moments: (slot.firstMoment, slot.secondMoment),
          learningRate: learningRate * member.rateScale, weightDecay: member.weightDecay, step: slot.step))
    }
    let broken = OptimizerKernels.adamW(
      parts, beta1: beta1, beta2: beta2, epsilon: epsilon, gradientScale: gradientScale)
    return broken.map { members[moved[$0]].path }
  }

  /// `step.…`, `exp_avg.…`, `exp_avg_sq.…` for each parameter that has moved.
  public var state: [(key: String, tensor: Tensor)] {
    zip(members, slots).sorted { $0.0.path < $1.0.path }.flatMap { member, slot in
      slot.map {
        [
          ("step.\(member.path)", Tensor([], [Float($0.step)])), ("exp_avg.\(member.path)", $0.firstMoment),
          ("exp_avg_sq.\(member.path)", $0.secondMoment),
        ]
      } ?? []
    }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) {
    let state = try OptimizerState(state, of: name, names: ["step", "exp_avg", "exp_avg_sq"])
    for (index, member) in members.enumerated() {
      let shape = member.cell.shape
      let found = try state.copies(
        member.path, [("step", []), ("exp_avg", shape), ("exp_avg_sq", shape)])
      slots[index] = found.map { Slot(step: Int($0[0].item), firstMoment: $0[1], secondMoment: $0[2]) }
    }
  }
}
