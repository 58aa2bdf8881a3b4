import CleftNN
import CleftTensor

/// AdaLoRA's schedule: gives the rank to the layers where it matters, by setting the least important `E` to zero.
///
/// - Source: Zhang et al. 2023, arXiv 2303.10512, §3.2. Matches PEFT `RankAllocator`.
public final class RankAllocator {
  /// Smoothed importance of every element of one parameter, and its uncertainty.
  private struct Sensitivity {
    var importance, uncertainty: [Float]
  }

  private let config: AdaLoRAConfig
  private let totalSteps: Int
  private let branches: [(path: String, branch: AdaLoRABranch)]
  private var sensitivities: [String: Sensitivity] = [:]

  /// Watches every AdaLoRA branch in a model.
  public init(_ root: any Module, _ config: AdaLoRAConfig, totalSteps: Int) {
    self.config = config
    self.totalSteps = totalSteps
    branches = adaptedLayers(in: root).flatMap { path, layer in
      layer.branches.compactMap { $0 as? AdaLoRABranch }.map { (path, $0) }
    }
  }

  /// The orthogonality term of the loss: a scalar, weighted.
  public var regularization: Tensor? {
    let terms = branches.flatMap(\.branch.orthogonalityTerms)
    guard let first = terms.first else { return nil }
    return terms.dropFirst().reduce(first, +) * (config.orthogonalityWeight / Float(terms.count))
  }

  /// Sum of the ranks that step `step` (from 0) leaves, and whether they are reallocated in it.
  public func budget(at step: Int) -> (rank: Int, reallocates: Bool) {
    let initial = config.initialRank * branches.count
    let target = config.targetRank * branches.count
    if step <= config.warmupSteps { return (initial, false) }
    if step >= totalSteps - config.finalSteps { return (target, true) }
    let length = Double(totalSteps - config.finalSteps - config.warmupSteps)
    let left = 1 - Double(step - config.warmupSteps) / length
    return (Int(Double(initial - target) * left * left * left + Double(target)), step % config.interval == 0)
  }

  /// Takes up a step's gradients and reallocates; call after the optimizer's step.
  ///
  /// - Parameter gradientScale: what the optimizer multiplied every gradient by: importance is that of the gradients as
  ///   they were clipped.
  public func update(step: Int, _ gradients: Gradients, gradientScale: Float = 1) {
    // In the last steps the ranks stay as they are; the entries set to zero are held there.
    if step < totalSteps - config.finalSteps {
      for (path, branch) in branches {
        for cell in [branch.$a, branch.$b, branch.$e] {
          if let gradient = gradients[cell.leaf] {
            follow("\(path).\(cell.name)", cell.value, gradient, gradientScale)
          }
        }
      }
    }
    let (rank, reallocates) = budget(at: step)
    if reallocates { mask(to: rank) }
  }

  /// What the allocation has learned so far, for a checkpoint.
  public var state: [(key: String, tensor: Tensor)] {
    sensitivities.sorted { $0.key < $1.key }.flatMap { key, state -> [(key: String, tensor: Tensor)] in
      [
        ("adalora.importance.\(key)", Tensor([state.importance.count], state.importance)),
        ("adalora.uncertainty.\(key)", Tensor([state.uncertainty.count], state.uncertainty)),
      ]
    }
  }

  /// What `state` holds once every watched parameter has had a gradient.
  public var fullStateShapes: [(key: String, shape: Shape)] {
    branches.flatMap { path, branch in
      [branch.$a, branch.$b, branch.$e].flatMap { cell in
        ["importance", "uncertainty"].map { ("adalora.\($0).\(path).\(cell.name)", [cell.shape.count]) }
      }
    }
  }

  /// Takes up the state of a checkpoint.
  public func restore(_ state: [String: Tensor]) {
    let mark = "adalora.importance."
    for (key, tensor) in state where key.hasPrefix(mark) {
      let name = String(key.dropFirst(mark.count))
      guard let uncertainty = state["adalora.uncertainty.\(name)"] else { continue }
      sensitivities[name] = Sensitivity(importance: tensor.array, uncertainty: uncertainty.array)
    }
  }

  private func follow(_ key: String, _ value: Tensor, _ gradient: Tensor, _ gradientScale: Float) {
    var state =
      sensitivities[key]
      ?? Sensitivity(
        importance: Array(repeating: 0, count: value.count),
        uncertainty: Array(repeating: 0, count: value.count))
    let (beta1, beta2) = (Float(config.beta1), Float(config.beta2))
    value.read { value in
      gradient.read { gradient in
        for i in state.importance.indices {
          let now = abs(value[i] * (gradient[i] * gradientScale))
          state.importance[i] = beta1 * state.importance[i] + (1 - beta1) * now
          state.uncertainty[i] =
            beta2 * state.uncertainty[i] + (1 - beta2) * abs(now - state.importance[i])
        }
      }
    }
    sensitivities[key] = state
  }

  /// Sets the entries of `E` whose triplets matter least to zero.
  private func mask(to rank: Int) {
    let scores = branches.map { self.scores($0.path, $0.branch) }
    let count = config.initialRank * branches.count - rank
    let sorted = scores.flatMap { $0 }.sorted()
    guard count > 0, count <= sorted.count else { return }
    let threshold = sorted[count - 1]
    for (index, (_, branch)) in branches.enumerated() {
      let values = branch.$e.value.array
      branch.$e.value = Tensor(
        branch.$e.shape, values.indices.map { scores[index][$0] <= threshold ? 0 : values[$0] })
    }
  }

  /// Importance of each triplet: that of its `E`, plus the means of its row of `A` and its column of `B`.
  private func scores(_ path: String, _ branch: AdaLoRABranch) -> [Float] {
    let (rank, inputs) = (branch.$a.shape[0], branch.$a.shape[1])
    let outputs = branch.$b.shape[0]
    func products(_ cell: ParameterCell) -> [Float] {
      guard let state = sensitivities["\(path).\(cell.name)"] else {
        return Array(repeating: 0, count: cell.shape.count)
      }
      return zip(state.importance, state.uncertainty).map { $0 * $1 }
    }
    let (a, b, e) = (products(branch.$a), products(branch.$b), products(branch.$e))
    return (0..<rank).map { r in
      let row = a[r * inputs..<(r + 1) * inputs].reduce(0, +) / Float(inputs)
      let column = (0..<outputs).reduce(Float(0)) { $0 + b[$1 * rank + r] } / Float(outputs)
      return e[r] + row + column
    }
  }
}

/// Every adapted layer with its path.
public func adaptedLayers(in root: any Module) -> [(path: String, layer: AdaptedLinear)] {
  var found: [(path: String, layer: AdaptedLinear)] = []
  root.replaceChildren { path, module in
    guard let layer = module as? AdaptedLinear else { return nil }
    found.append((path, layer))
    return layer
  }
  return found
}
