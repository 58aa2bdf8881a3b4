/// Adds one row to every row.
///
/// - Shapes: `x` `[..., C]`; `row` `C` elements of any shape.
public func addRow(_ x: Tensor, _ row: Tensor) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(row.count == width, "addRow: [\(x.shape)] + [\(row.shape)]")
  let result = Tensor(uninitialized: x.shape)
  with(x, row, result) { x, added, y in
    parallel(rows, grain: max(1, 32_768 / max(width, 1))) { range in
      for r in range { Kernels.addRows(x + r * width, added, into: y + r * width, count: width) }
    }
  }
  let shape = row.shape
  return result.recorded([x.node, row.node]) { gradient, sink in
    sink.add(0, gradient)
    if sink.wants(1) {
      sink.accumulate(1, shape) { target, beta in
        gradient.withMutablePointer {
          Kernels.columnSums($0, times: nil, into: target, beta: beta, rows: rows, width: width)
        }
      }
    }
  }
}

/// Multiplies all rows of each sequence of equal length by one constant.
///
/// - Shapes: `x` `[B·T, C]`, `factors` `B` → `[B·T, C]`.
public func scaleSequences(_ x: Tensor, by factors: [Float]) -> Tensor {
  let count = x.count / max(factors.count, 1)
  precondition(count * factors.count == x.count, "scaleSequences: [\(x.shape)] by \(factors.count) factors")
  func scaled(_ x: Tensor) -> Tensor {
    let result = Tensor(uninitialized: x.shape)
    with(x, result) { x, y in
      for (index, factor) in factors.enumerated() {
        Kernels.scale(x + index * count, by: factor, into: y + index * count, count: count)
      }
    }
    return result
  }
  return scaled(x).recorded([x.node]) { gradient, sink in sink.add(0, scaled(gradient)) }
}

/// Stochastic depth: leaves out whole sequences of a branch with probability `probability`, scaling the others up.
///
/// - Shapes: `x` `[B·T, C]` with `B` sequences; the decision for a sequence depends on `key` and its number.
/// - Source: Huang et al. 2016, arXiv 1603.09382. Matches timm's `DropPath`.
public func dropPath(_ x: Tensor, count: Int, probability: Float, key: RandomKey) -> Tensor {
  if probability <= 0 { return x }
  let kept = 1 / (1 - probability)
  return scaleSequences(
    x, by: (0..<count).map { key.uniform(at: $0) < Double(probability) ? 0 : kept })
}
