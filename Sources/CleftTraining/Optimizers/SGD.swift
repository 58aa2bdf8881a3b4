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
  private var buffers: [String: Tensor] = [:]

  /// Makes an optimizer.
  public init(_ groups: [ParameterGroup], momentum: Double) {
    self.groups = groups
    self.momentum = momentum
  }

  /// One step.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    for group in groups {
      for parameter in group.parameters {
        guard let gradient = gradients[parameter.cell.leaf] else { continue }
        let isFirst = buffers[parameter.path] == nil
        let buffer = buffers[parameter.path] ?? Tensor(parameter.cell.shape)
        buffers[parameter.path] = buffer
        let value = parameter.cell.value
        value.withMutablePointer { value in
          gradient.read { gradient in
            buffer.withMutablePointer { buffer in
              OptimizerKernels.sgd(
                parameter: value, gradient: gradient, momentum: buffer, count: parameter.cell.shape.count,
                learningRate: learningRate, momentumFactor: momentum, weightDecay: group.weightDecay,
                isFirst: isFirst)
            }
          }
        }
      }
    }
    return nil
  }

  /// `momentum_buffer.…` for each parameter that has moved.
  public var state: [(key: String, tensor: Tensor)] {
    buffers.sorted { $0.key < $1.key }.map { ("momentum_buffer.\($0.key)", $0.value) }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) {
    for parameter in groups.flatMap(\.parameters) {
      if let buffer = state["momentum_buffer.\(parameter.path)"] { buffers[parameter.path] = buffer.copied() }
    }
  }
}
