import CleftFormats
import CleftNN
import CleftTensor

/// Which parameters an optimizer moves and how they are divided, stored as `optimizer.json` beside its state.
struct OptimizerLayout: Codable, Sendable, Equatable {
  /// Parameters that share decay and rate.
  struct Group: Codable, Sendable, Equatable {
    let name: String
    let weightDecay: Double
    let rateScale: Double
    /// Checkpoint keys, in the order in which PyTorch would number them.
    let parameters: [String]

    private enum CodingKeys: String, CodingKey {
      case name, parameters
      case weightDecay = "weight_decay"
      case rateScale = "rate_scale"
    }
  }

  /// The optimizer's name.
  let name: String
  let groups: [Group]

  init(_ optimizer: any Optimizer) {
    name = optimizer.name
    groups = optimizer.groups.map { group in
      Group(
        name: group.name, weightDecay: group.weightDecay, rateScale: group.rateScale,
        parameters: group.parameters.map(\.path))
    }
  }

  /// Text of the file.
  var json: String { jsonText(self, pretty: true) }
}

extension Optimizer {
  /// Bytes of the state's file once every trained parameter has moved.
  var fullStateByteCount: Int {
    let now = state.map { (key: $0.key, shape: $0.tensor.shape) }
    var tensors = Dictionary(now, uniquingKeysWith: { first, _ in first })
    for parameter in groups.flatMap(\.parameters) where parameter.cell.isTrainable {
      for (name, shape) in stateShapes(parameter.cell.shape) { tensors["\(name).\(parameter.path)"] = shape }
    }
    for (key, shape) in addedStateShapes { tensors[key] = shape }
    // In an order of their own: the length of the header depends on it.
    let sorted = tensors.sorted { $0.key < $1.key }
    return SafeTensorsWriter.byteCount(sorted.map { ($0.key, $0.value) })
  }

  /// What the state holds of a parameter; an optimizer of another name is taken to hold what Adam does.
  private func stateShapes(_ shape: Shape) -> [(name: String, shape: Shape)] {
    switch name.lowercased() {
    case "sgd": return [("momentum_buffer", shape)]
    case "adafactor":
      let dimensions = shape.dimensions
      guard dimensions.count >= 2 else {
        return [("step", []), ("exp_avg", shape), ("exp_avg_sq", shape)]
      }
      return [
        ("step", []), ("exp_avg", shape), ("exp_avg_sq_row", Shape(Array(dimensions.dropLast()))),
        ("exp_avg_sq_col", Shape(dimensions.dropLast(2) + [dimensions[dimensions.count - 1]])),
      ]
    default: return [("step", []), ("exp_avg", shape), ("exp_avg_sq", shape)]
    }
  }
}
