/// Gradients of one loss by leaf of the tape.
public struct Gradients {
  private var byLeaf: [UInt64: Tensor]

  init(_ byLeaf: [UInt64: Tensor]) { self.byLeaf = byLeaf }

  /// No gradients at all.
  public init() { byLeaf = [:] }

  /// The gradient of a leaf, nil if the loss does not depend on it.
  public subscript(leaf: Node) -> Tensor? { byLeaf[leaf.id] }

  /// Adds the gradients of another loss.
  public mutating func add(_ other: Gradients) {
    for (leaf, gradient) in other.byLeaf {
      guard let own = byLeaf.removeValue(forKey: leaf) else {
        byLeaf[leaf] = gradient
        continue
      }
      byLeaf[leaf] = summed(own, gradient)
    }
  }

  /// The gradients of all leaves but some.
  public func without(_ leaves: [Node]) -> Gradients {
    let ids = Set(leaves.map(\.id))
    return Gradients(byLeaf.filter { !ids.contains($0.key) })
  }

  /// Multiplies every gradient by `factor`.
  public mutating func scale(by factor: Float) {
    if factor == 1 { return }
    byLeaf = byLeaf.mapValues { scaled($0, by: factor) }
  }
}

extension Tensor {
  /// Gradients of this scalar in every tracked leaf it was computed from.
  ///
  /// The tape is used up: each operation's saved tensors are freed as soon as its backward step has run.
  public func gradients() -> Gradients {
    precondition(count == 1, "gradients: the loss has shape [\(shape)], expected one element")
    guard let node else { return Gradients() }
    let pass = BackwardPass()
    pass.run(from: [(node, Tensor(shape, repeating: 1))])
    return Gradients(pass.leaves)
  }
}

/// Gradients, in every tracked leaf, of a loss whose gradients in some tensors are known already.
///
/// The second half of a loss that was computed in two: what `outputs` were computed from is walked once, newest operation
/// first, and used up.
///
/// - Parameter known: the loss's gradient in each output, of its shape.
public func gradients(of outputs: [Tensor], _ known: [Tensor]) -> Gradients {
  precondition(
    outputs.map(\.shape) == known.map(\.shape), "gradients: \(outputs.map(\.shape)), \(known.map(\.shape))")
  let pass = BackwardPass()
  pass.run(from: zip(outputs, known).compactMap { output, gradient in output.node.map { ($0, gradient) } })
  return Gradients(pass.leaves)
}

/// One walk over the tape, newest operation first.
final class BackwardPass {
  private var pending: [UInt64: Tensor] = [:]
  fileprivate(set) var leaves: [UInt64: Tensor] = [:]

  func run(from roots: [(node: Node, gradient: Tensor)]) {
    for root in roots { add(root.node.id, root.gradient) }
    for node in newestFirst(roots.map(\.node)) {
      guard let gradient = pending.removeValue(forKey: node.id) else { continue }
      guard let backward = node.backward else {
        precondition(
          node.isLeaf, "gradients: an operation of this loss has been used by another gradients() already")
        accumulate(leaf: node.id, gradient)
        continue
      }
      node.backward = nil
      withoutGradients { backward(gradient, GradientSink(pass: self, inputs: node.inputs)) }
    }
  }

  /// Adds to the gradient of a leaf that is not an input of the running operation (see `recompute`).
  func accumulate(leaf: UInt64, _ gradient: Tensor) {
    leaves[leaf] = leaves.removeValue(forKey: leaf).map { summed($0, gradient) } ?? gradient
  }

  fileprivate func add(_ id: UInt64, _ gradient: Tensor) {
    pending[id] = pending.removeValue(forKey: id).map { summed($0, gradient) } ?? gradient
  }

  fileprivate func takePending(_ id: UInt64) -> Tensor? { pending.removeValue(forKey: id) }
  fileprivate func setPending(_ id: UInt64, _ gradient: Tensor) { pending[id] = gradient }

  private func newestFirst(_ roots: [Node]) -> [Node] {
    var seen: Set<UInt64> = []
    var found = roots.filter { seen.insert($0.id).inserted }
    var next = 0
    while next < found.count {
      for case let input? in found[next].inputs where seen.insert(input.id).inserted { found.append(input) }
      next += 1
    }
    return found.sorted { $0.id > $1.id }
  }
}

/// Where a backward step puts the gradients of its operation's inputs.
struct GradientSink {
  let pass: BackwardPass
  let inputs: [Node?]

  /// Whether anybody asked for the gradient of input `index`.
  func wants(_ index: Int) -> Bool { inputs[index] != nil }

  /// Adds `gradient` to that of input `index`.
  func add(_ index: Int, _ gradient: Tensor) {
    if let node = inputs[index] { pass.add(node.id, gradient) }
  }

  /// Lets `body` add to the gradient of input `index` in place: it must write `new + beta · old` to the pointer.
  func accumulate(_ index: Int, _ shape: Shape, _ body: (UnsafeMutablePointer<Float>, _ beta: Float) -> Void)
  {
    guard let node = inputs[index] else { return }
    if var old = pass.takePending(node.id) {
      old.makeWritable()
      old.withMutablePointer { body($0, 1) }
      pass.setPending(node.id, old)
    } else {
      let new = Tensor(uninitialized: shape)
      new.withMutablePointer { body($0, 0) }
      pass.setPending(node.id, new)
    }
  }
}

/// `a + b`, written into `a` when nobody else refers to it.
private func summed(_ a: consuming Tensor, _ b: Tensor) -> Tensor {
  precondition(a.shape == b.shape, "gradient sum: [\(a.shape)] + [\(b.shape)]")
  var target = a
  target.makeWritable()
  with(target, b) { Kernels.add($0, $1, into: $0, count: b.count) }
  return target
}

private func scaled(_ a: Tensor, by factor: Float) -> Tensor {
  let result = Tensor(uninitialized: a.shape)
  with(a, result) { Kernels.scale($0, by: factor, into: $1, count: a.count) }
  return result
}

/// Runs `body` without keeping what backward needs, and runs it once more during backward.
///
/// Randomness must come from keys that `body` captures, so that both runs draw the same numbers. Gradients reach the
/// parameters used inside even when the inputs are constants, so checkpointing never detaches an adapter.
///
/// - Parameter inputs: any shapes; the only tensors from outside, parameters aside, that gradients flow back to.
public func recompute(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
  guard Tape.isRecording else { return body(inputs) }
  var output = withoutGradients { body(inputs.map(\.detached)) }
  let saved = inputs.map(\.detached)
  let isTracked = inputs.map(\.isTracked)
  output.node = Node(inputs: inputs.map(\.node)) { gradient, sink in
    Tape.$isRecording.withValue(true) {
      let leaves = inputs.indices.map { _ in Node() }
      let again = body(saved.indices.map { isTracked[$0] ? saved[$0].tracked(by: leaves[$0]) : saved[$0] })
      guard let node = again.node else { return }
      let inner = BackwardPass()
      inner.run(from: [(node, gradient)])
      let own = Set(leaves.map(\.id))
      for (id, gradient) in inner.leaves where !own.contains(id) { sink.pass.accumulate(leaf: id, gradient) }
      for (index, leaf) in leaves.enumerated() {
        if let gradient = inner.leaves[leaf.id] { sink.add(index, gradient) }
      }
    }
  }
  return output
}

/// `recompute` of one input.
public func recompute(_ input: Tensor, _ body: @escaping (Tensor) -> Tensor) -> Tensor {
  recompute([input]) { body($0[0]) }
}
