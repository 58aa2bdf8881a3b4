import CleftNN
import CleftTensor

/// Gradient descent with momentum and coupled decay; no dampening, no Nesterov step.
///
/// - Source: matches `torch.optim.SGD`.
public final class SGD: Optimizer {
  /// Name for logs.
  public let name = "SGD"
  /// The parameters.
  public let groups: [ParameterGroup]
  private let momentum: Double
  private let members: [GroupedParameter]
  private var buffers: [Tensor?]

  /// Makes an optimizer.
  public init(_ groups: [ParameterGroup], momentum: Double) {
    self.groups = groups
    self.momentum = momentum
    members = groups.members
    buffers = Array(repeating: nil, count: members.count)
  }

  /// One step.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    var parts: [OptimizerKernels.SGDPart] = []
    var moved: [Int] = []
    for (index, member) in members.enumerated() {
      guard let gradient = gradients[member.cell.leaf] else { continue }
      let isFirst = buffers[index] == nil
      let buffer = buffers[index] ?? Tensor(member.cell.shape)
      buffers[index] = buffer
      moved.append(index)
      parts.append(
        OptimizerKernels.SGDPart(
          parameter: member.cell.value, gradient: gradient, momentum: buffer,
          learningRate: learningRate * member.rateScale, weightDecay: member.weightDecay, isFirst: isFirst))
    }
    let broken = OptimizerKernels.sgd(parts, momentum: momentum, gradientScale: gradientScale)
    return broken.map { members[moved[$0]].path }
  }

  /// `momentum_buffer.…` for each parameter that has moved.
  public var state: [(key: String, tensor: Tensor)] {
    zip(members, buffers).sorted { $0.0.path < $1.0.path }.compactMap { member, buffer in
      buffer.map { ("momentum_buffer.\(member.path)", $0) }
    }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) {
    let state = try OptimizerState(state, of: name, names: ["momentum_buffer"])
    for (index, member) in members.enumerated() {
      buffers[index] = try state.copies(member.path, [("momentum_buffer", member.cell.shape)])?[0]
    }
  }
}
