/// The rows of several tensors one below the other, as a constant.
///
/// - Shapes: each `[Nᵢ, …]` of equal further axes → `[ΣNᵢ, …]`.
public func stackedRows(_ parts: [Tensor]) -> Tensor {
  guard let first = parts.first else { preconditionFailure("stackedRows: no parts") }
  let inner = first.shape.dimensions.dropFirst()
  precondition(
    parts.allSatisfy { $0.shape.dimensions.dropFirst() == inner }, "stackedRows: \(parts.map(\.shape))")
  let rows = parts.reduce(0) { $0 + $1.shape[0] }
  let result = Tensor(uninitialized: Shape([rows] + inner))
  var done = 0
  result.withMutablePointer { target in
    for part in parts {
      part.read { (target + done).update(from: $0, count: part.count) }
      done += part.count
    }
  }
  return result
}

extension Tensor {
  /// Some rows in the same memory, as a constant: `[N, …]` → `[range.count, …]`.
  public func rowView(_ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[0], "rowView: \(range) of [\(shape)]")
    let width = shape.count / max(1, shape[0])
    return Tensor(
      shape: Shape([range.count] + shape.dimensions.dropFirst()), storage: storage,
      offset: offset + range.lowerBound * width)
  }
}
