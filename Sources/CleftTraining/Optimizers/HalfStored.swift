import CleftNN
import CleftTensor

/// An optimizer whose weights, gradients and state live in bfloat16, without a finer copy of the weights: precision
/// `bf16-true` as published.
///
/// Every start weight is rounded to nearest, ties to even; so are gradients before and weights and state after each step.
/// A change of less than half the distance to the next bfloat16, 2⁻⁹ to 2⁻⁸ of the weight, is lost each time: with AdamW at
/// 4e-5 nothing moves that is larger than 0.0156.
///
/// - Numerics: operations within a step are float32; PyTorch rounds after each one.
public final class HalfStored: Optimizer {
  private let optimizer: any Optimizer
  private let roundsState: Bool
  private let members: [GroupedParameter]

  /// Wraps an optimizer and rounds the weights of its parameters.
  ///
  /// - Parameter roundsState: off for an optimizer whose state PyTorch keeps in float32 (Adafactor).
  public init(_ optimizer: any Optimizer, roundsState: Bool = true) {
    self.optimizer = optimizer
    self.roundsState = roundsState
    members = optimizer.groups.members
    let weights = members.map(\.cell.value)
    _ = GradientKernels.roundToHalf(weights.map { ($0, $0) })
  }

  /// The optimizer's name.
  public var name: String { optimizer.name }

  /// The optimizer's groups.
  public var groups: [ParameterGroup] { optimizer.groups }

  /// The optimizer's notes.
  public var notes: [String] { optimizer.notes }

  /// One step, rounded.
  public func step(_ gradients: Gradients, learningRate: Double, gradientScale: Float) -> String? {
    let moved = members.compactMap { member in
      gradients[member.cell.leaf].map { (member: member, gradient: $0) }
    }
    let rounded = moved.map { (source: $0.gradient, target: Tensor(uninitialized: $0.gradient.shape)) }
    _ = GradientKernels.roundToHalf(rounded)
    let leaves = moved.map { $0.gradient.detached.tracked(by: $0.member.cell.leaf) }
    let broken = optimizer.step(
      CleftTensor.gradients(of: leaves, rounded.map(\.target)), learningRate: learningRate,
      gradientScale: gradientScale)
    let weights = moved.map(\.member.cell.value)
    let overflown = GradientKernels.roundToHalf(weights.map { ($0, $0) })
    if roundsState {
      let kept = optimizer.state.filter { !$0.key.hasPrefix("step.") }.map(\.tensor)
      _ = GradientKernels.roundToHalf(kept.map { ($0, $0) })
    }
    return broken ?? overflown.map { moved[$0].member.path }
  }

  /// The optimizer's state, whose values are bfloat16.
  public var state: [(key: String, tensor: Tensor)] { optimizer.state }

  /// The optimizer's.
  public var addedStateShapes: [(key: String, shape: Shape)] { optimizer.addedStateShapes }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) { try optimizer.restore(state) }
}
