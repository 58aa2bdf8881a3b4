import CleftAdapters
import CleftNN
import CleftTensor

/// An optimizer whose every step is followed by one of AdaLoRA's rank allocation.
///
/// Its state travels with the optimizer's, so that a resumed run allocates as one that was not cut.
public final class RankAllocation: Optimizer {
  private let optimizer: any Optimizer
  private let allocator: RankAllocator
  private var step = 0

  /// Joins an optimizer and an allocator.
  public init(_ optimizer: any Optimizer, _ allocator: RankAllocator) {
    self.optimizer = optimizer
    self.allocator = allocator
  }

  /// The optimizer's name.
  public var name: String { optimizer.name }

  /// The optimizer's groups.
  public var groups: [ParameterGroup] { optimizer.groups }

  /// The optimizer's notes.
  public var notes: [String] { optimizer.notes }

  /// One step, then the allocation.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    let broken = optimizer.step(gradients, learningRate: learningRate, gradientScale: gradientScale)
    allocator.update(step: step, gradients, gradientScale: gradientScale)
    step += 1
    return broken
  }

  /// The optimizer's state, then the allocator's.
  public var state: [(key: String, tensor: Tensor)] {
    optimizer.state + [("adalora.step", Tensor([], [Float(step)]))] + allocator.state
  }

  /// The optimizer's, then the allocator's.
  public var addedStateShapes: [(key: String, shape: Shape)] {
    optimizer.addedStateShapes + allocator.fullStateShapes
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) {
    try optimizer.restore(state)
    allocator.restore(state)
    step = state["adalora.step"].map { Int($0.item) } ?? 0
  }
}
