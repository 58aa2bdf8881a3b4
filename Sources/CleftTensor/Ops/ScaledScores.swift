import Foundation

/// Cosine scores under a learned factor, and a learned shift if there is one.
///
/// `u·vᵀ·exp(logitScale) + logitBias`
///
/// - Shapes: `u` `[B, E]` and `v` `[K, E]`, rows of length 1; `logitScale`, `logitBias` scalars → `[B, K]`.
/// - Saves: both inputs; the cosines if the scale is tracked.
public func scaledScores(
  _ u: Tensor, _ v: Tensor, logitScale: Tensor, logitBias: Tensor? = nil
) -> Tensor {
  precondition(
    u.shape.rank == 2 && v.shape.rank == 2 && u.shape[1] == v.shape[1],
    "scaledScores: [\(u.shape)] and [\(v.shape)]")
  let (rows, columns, width) = (u.shape[0], v.shape[0], u.shape[1])
  let cosines = Tensor(uninitialized: [rows, columns])
  with(u, v, cosines) { u, v, s in
    Kernels.matmul(
      Operand(u, rowStride: width), Operand(v, rowStride: width, transposed: true), into: s,
      rowStride: columns, m: rows, n: columns, k: width, beta: 0)
  }
  let (scale, shift) = (exp(logitScale.item), logitBias?.item ?? 0)
  let scores = Tensor(uninitialized: [rows, columns])
  with(cosines, scores) { Kernels.scale($0, by: scale, into: $1, count: scores.count) }
  if shift != 0 { scores.withMutablePointer { s in for i in 0..<rows * columns { s[i] += shift } } }
  let (savedU, savedV) = (u.detached, v.detached)
  let savedCosines = logitScale.isTracked ? cosines : nil
  return scores.recorded([u.node, v.node, logitScale.node, logitBias?.node]) { gradient, sink in
    let outer = [(0, savedV, rows, columns, false), (1, savedU, columns, rows, true)]
    for (input, other, count, inner, transposed) in outer where sink.wants(input) {
      sink.accumulate(input, [count, width]) { target, beta in
        with(gradient, other) { g, other in
          Kernels.matmul(
            Operand(g, rowStride: columns, transposed: transposed), Operand(other, rowStride: width),
            into: target, rowStride: width, m: count, n: width, k: inner, alpha: scale, beta: beta)
        }
      }
    }
    if sink.wants(2), let savedCosines {
      let along = with(gradient, savedCosines) { Kernels.longDot($0, $1, count: rows * columns) }
      sink.add(2, Tensor([], [Float(along) * scale]))
    }
    if sink.wants(3) {
      let sum = gradient.read { Kernels.longSum($0, count: rows * columns) }
      sink.add(3, Tensor([], [Float(sum)]))
    }
  }
}
