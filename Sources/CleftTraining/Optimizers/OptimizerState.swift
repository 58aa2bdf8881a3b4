import CleftFormats
import CleftNN
import CleftTensor

/// A trained parameter with the decay and rate of its group.
struct GroupedParameter {
  let path: String
  let cell: ParameterCell
  let weightDecay, rateScale: Double
}

extension [ParameterGroup] {
  /// The parameters of all groups in order.
  var members: [GroupedParameter] {
    flatMap { group in
      group.parameters.map {
        GroupedParameter(
          path: $0.path, cell: $0.cell, weightDecay: group.weightDecay, rateScale: group.rateScale)
      }
    }
  }
}

/// The state tensors of a checkpoint, checked as they are taken out.
struct OptimizerState {
  /// First parts of the keys that optimizers write.
  private static let names: Set<String> = [
    "step", "exp_avg", "exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col", "momentum_buffer",
  ]
  private static let hint = "The checkpoint belongs to another optimizer or model."

  private let tensors: [String: Tensor]

  /// - Parameter names: first parts of the keys that this optimizer writes.
  /// - Throws: `TrainingError.badData` if a key is another optimizer's.
  init(_ tensors: [String: Tensor], of optimizer: String, names: Set<String>) throws(TrainingError) {
    self.tensors = tensors
    let foreign = Self.names.subtracting(names)
    let key = tensors.keys.sorted().first { key in
      key.firstIndex(of: ".").map { foreign.contains(String(key[..<$0])) } ?? false
    }
    if let key {
      throw .badData(
        Problem(
          "optimizer state: \(key)", found: "a tensor of another optimizer",
          expected: "the state of \(optimizer)", hint: Self.hint))
    }
  }

  /// Copies of the tensors `name.path`; nil if the parameter has none.
  ///
  /// - Throws: `TrainingError.badData` if some are missing or have other shapes.
  func copies(_ path: String, _ shapes: [(name: String, shape: Shape)]) throws(TrainingError) -> [Tensor]? {
    let found = shapes.map { tensors["\($0.name).\(path)"] }
    if found.allSatisfy({ $0 == nil }) { return nil }
    var copies: [Tensor] = []
    for (tensor, wanted) in zip(found, shapes) {
      guard let tensor, tensor.shape == wanted.shape else {
        throw .badData(
          Problem(
            "optimizer state: \(wanted.name).\(path)", found: tensor.map { "shape \($0.shape)" } ?? "missing",
            expected: "shape \(wanted.shape)", hint: Self.hint))
      }
      copies.append(tensor.copied())
    }
    return copies
  }
}
