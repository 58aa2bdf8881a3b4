import Synchronization

/// One recorded operation, or a leaf (a parameter) when it has no backward step.
public final class Node {
  /// Grows with time, so that descending order is an order of backward.
  let id: UInt64
  /// Whether this is a parameter, not an operation.
  let isLeaf: Bool
  /// Producers of the inputs, nil where an input is constant.
  let inputs: [Node?]
  /// Turns the gradient of the output into those of the inputs; dropped, with all it saved, once it has run.
  var backward: ((Tensor, GradientSink) -> Void)?

  private static let counter = Atomic<UInt64>(0)

  init(inputs: [Node?], backward: ((Tensor, GradientSink) -> Void)?) {
    id = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
    self.inputs = inputs
    self.backward = backward
    isLeaf = backward == nil
  }

  /// A leaf: the place of one parameter in the tape.
  public convenience init() { self.init(inputs: [], backward: nil) }
}

extension Tensor {
  /// The same values as the leaf `node` of the tape.
  public func tracked(by node: Node) -> Tensor {
    Tensor(shape: shape, storage: storage, offset: offset, node: node)
  }

  /// Puts the operation that computed `self` on the tape, if any input is tracked and the tape is on.
  ///
  /// - Parameters:
  ///   - inputs: the nodes of the inputs, nil for constants; `sink` counts by this order.
  ///   - backward: called at most once. It captures what backward needs and nothing else.
  func recorded(_ inputs: [Node?], _ backward: @escaping (Tensor, GradientSink) -> Void) -> Tensor {
    guard Tape.isRecording, inputs.contains(where: { $0 != nil }) else { return self }
    var result = self
    result.node = Node(inputs: inputs, backward: backward)
    return result
  }
}

/// Whether operations are recorded on this task.
enum Tape {
  @TaskLocal static var isRecording = true
}

/// Runs `body` with the tape off: nothing is saved for backward.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  try Tape.$isRecording.withValue(false, operation: body)
}
