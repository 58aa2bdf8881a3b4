import CleftFormats
import CleftTensor

/// Errors of putting values into a model.
public enum StateDictError: CleftError {
  /// Keys or shapes of the values are not those of the model.
  case mismatch(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .mismatch(let problem): problem
    }
  }
  /// 65.
  public var exitStatus: ExitStatus { .badData }
}

extension Module {
  /// Fills parameters and buffers, all of them and nothing else.
  ///
  /// - Parameters:
  ///   - source: names the origin in messages.
  ///   - keys: keys and shapes that the origin has.
  ///   - optional: keys of this module that may be missing in the origin.
  ///   - value: gives the tensor of a key.
  /// - Throws: `StateDictError.mismatch` naming the first key and the nearest ones; nothing is changed then.
  public func load(
    from source: String, keys: [String: Shape], optional: (String) -> Bool = { _ in false },
    value: (String) throws -> Tensor
  ) throws {
    let own = cells()
    let names = Set(own.map(\.path))
    for path in own.map(\.path).sorted() where keys[path] == nil && !optional(path) {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(path)", found: "missing", expected: "a value for every parameter of the model",
          hint: "Nearest keys: \(nearestNames(to: path, among: keys.keys).joined(separator: ", "))."))
    }
    for key in keys.keys.sorted() where !names.contains(key) {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(key)", found: "a key that the model does not have",
          hint: "Nearest in the model: \(nearestNames(to: key, among: names).joined(separator: ", "))."))
    }
    for named in own {
      guard let shape = keys[named.path] else { continue }
      let fits = shape == named.cell.shape || (shape.count == 1 && named.cell.shape.count == 1)
      guard fits else {
        throw StateDictError.mismatch(
          Problem(
            "\(source): \(named.path)", found: "shape \(shape)", expected: "shape \(named.cell.shape)",
            hint: "The file belongs to a model of another size; check --model, --peft, --emb_dim."))
      }
    }
    for named in own where keys[named.path] != nil {
      let tensor = try value(named.path)
      named.cell.value = tensor.shape == named.cell.shape ? tensor : tensor.reshaped(named.cell.shape)
    }
  }
}
