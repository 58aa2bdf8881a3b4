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

/// What a load that was asked not to be strict left as it was.
public struct LoadReport: Sendable, Equatable {
  /// Keys of the model without a value in the file; they keep their start values.
  public var missing: [String] = []
  /// Keys of the file without a place in the model.
  public var unexpected: [String] = []
}

extension Module {
  /// Fills parameters and buffers, all of them and nothing else.
  ///
  /// - Parameters:
  ///   - source: names the origin in messages.
  ///   - keys: keys and shapes that the origin has.
  ///   - isStrict: off lets keys be missing and left over; they are in the report. Wrong shapes are errors always.
  ///   - types: types of the origin's tensors, where they are known: integers are no values of a parameter.
  ///   - optional: keys of this module that may be missing in the origin.
  ///   - origin: where a key's tensor can be read again, if that is a file that stays: checkpoints then refer to it
  ///     as long as the parameter is frozen.
  ///   - value: gives the tensor of a key, when it is first wanted; keys, shapes and types have been checked by then, so
  ///     that it can fail only by a mistake of ours.
  /// - Throws: `StateDictError.mismatch` naming the first key and the nearest ones; nothing is changed then.
  @discardableResult
  public func load(
    from source: String, keys: [String: Shape], types: (String) -> DType? = { _ in nil },
    isStrict: Bool = true,
    optional: (String) -> Bool = { _ in false }, origin: (String) -> TensorOrigin? = { _ in nil },
    value: @escaping (String) throws -> Tensor
  ) throws -> LoadReport {
    let own = cells()
    let names = Set(own.map(\.path))
    let report = LoadReport(
      missing: own.map(\.path).filter { keys[$0] == nil && !optional($0) }.sorted(),
      unexpected: keys.keys.filter { !names.contains($0) }.sorted())
    if isStrict { try require(report, source, keys.keys, names) }
    for named in own {
      guard let shape = keys[named.path] else { continue }
      try require(named, source, shape, types(named.path))
    }
    for named in own where keys[named.path] != nil {
      let (path, shape) = (named.path, named.cell.shape)
      // Read when first wanted: a model of which half is used, or in another type, never is in memory whole.
      named.cell.setSource(origin: origin(path)) {
        do {
          let tensor = try value(path)
          return tensor.shape == shape ? tensor : tensor.reshaped(shape)
        } catch {
          preconditionFailure("\(source): \(path): \(error)")
        }
      }
    }
    return report
  }

  private func require(_ named: NamedCell, _ source: String, _ shape: Shape, _ type: DType?) throws {
    let own = named.cell.shape
    guard shape == own || (shape.count == 1 && own.count == 1) else {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(named.path)", found: "shape \(shape)", expected: "shape \(own)",
          hint: "The file belongs to a model of another size; check --model, --peft, --emb_dim."))
    }
    // Buffers may count.
    if named.cell.role == .parameter, let type, !type.isFloatingPoint {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(named.path)", found: "type \(type.rawValue)", expected: "a floating type",
          hint: "The file may be quantized; use the one in float32, float16 or bfloat16."))
    }
  }

  private func require(
    _ report: LoadReport, _ source: String, _ keys: some Sequence<String>, _ names: Set<String>
  ) throws {
    if let path = report.missing.first {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(path)", found: "missing" + others(report.missing),
          expected: "a value for every parameter of the model",
          hint: "Nearest keys: \(nearestNames(to: path, among: keys).joined(separator: ", "))."))
    }
    if let key = report.unexpected.first {
      throw StateDictError.mismatch(
        Problem(
          "\(source): \(key)", found: "a key that the model does not have" + others(report.unexpected),
          hint: "Nearest in the model: \(nearestNames(to: key, among: names).joined(separator: ", "))."))
    }
  }

  private func others(_ keys: [String]) -> String { keys.count > 1 ? " (and \(keys.count - 1) more)" : "" }
}
