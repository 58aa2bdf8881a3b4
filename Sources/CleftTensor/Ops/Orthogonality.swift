/// Distance of a matrix from orthogonality: `‖P·Pᵀ - I‖`, or `‖Pᵀ·P - I‖` for its columns, in the Frobenius norm.
///
/// - Shapes: `p` `[m, n]` → scalar.
/// - Saves: `p`, the product less the identity, and its norm.
/// - Source: Zhang et al. 2023, arXiv 2303.10512, equation 4.
public func orthogonality(_ p: Tensor, ofRows: Bool) -> Tensor {
  let (rows, columns) = (p.shape[0], p.shape[1])
  let size = ofRows ? rows : columns
  let residue = Tensor(uninitialized: [size, size])
  with(p, residue) { p, c in
    Kernels.matmul(
      Operand(p, rowStride: columns, transposed: !ofRows), Operand(p, rowStride: columns, transposed: ofRows),
      into: c, rowStride: size, m: size, n: size, k: ofRows ? columns : rows, beta: 0)
    for i in 0..<size { c[i * size + i] -= 1 }
  }
  let norm = Float(residue.sumOfSquares.squareRoot())
  let saved = p.detached
  return Tensor([], [norm]).recorded([p.node]) { gradient, sink in
    let factor = norm > 0 ? 2 * gradient.item / norm : 0
    sink.accumulate(0, saved.shape) { target, beta in
      with(saved, residue) { p, c in
        let (left, right) = (Operand(c, rowStride: size), Operand(p, rowStride: columns))
        Kernels.matmul(
          ofRows ? left : right, ofRows ? right : left, into: target, rowStride: columns, m: rows, n: columns,
          k: size, alpha: factor, beta: beta)
      }
    }
  }
}
