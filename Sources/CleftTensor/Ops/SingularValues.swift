import CLAPACKE

/// Singular value decomposition through LAPACK.
public struct SingularValues {
  /// Left vectors `[m, k]`, one a column.
  public let left: Tensor
  /// Singular values, largest first.
  public let values: [Float]
  /// Right vectors `[k, n]`, one a row.
  public let right: Tensor

  /// Decomposes a matrix whole: `left · diag(values) · right`, `k = min(m, n)`.
  ///
  /// - Shapes: `matrix` `[m, n]`.
  public init(_ matrix: Tensor) {
    let (m, n) = (matrix.shape[0], matrix.shape[1])
    let k = min(m, n)
    // LAPACK overwrites its input.
    let work = matrix.copied()
    let (left, right) = (Tensor([m, k]), Tensor([k, n]))
    var values = [Float](repeating: 0, count: k)
    let status = with(work, left, right) { a, u, vt in
      LAPACKE_sgesdd(
        LAPACK_ROW_MAJOR, CChar(bitPattern: UInt8(ascii: "S")), Int32(m), Int32(n), a,
        Int32(n), &values, u, Int32(k), vt, Int32(n))
    }
    precondition(status == 0, "singular values: LAPACK status \(status) for [\(matrix.shape)]")
    (self.left, self.values, self.right) = (left, values, right)
  }

  private init(left: Tensor, values: [Float], right: Tensor) {
    (self.left, self.values, self.right) = (left, values, right)
  }

  /// The `count` largest singular values with their vectors.
  ///
  /// - Parameter iterations: nil decomposes the matrix whole; a number projects it on a random subspace that so many
  ///   power iterations turn toward the largest values.
  /// - Source: Halko et al. 2011, arXiv 0909.4061, algorithm 4.4.
  public static func largest(
    _ count: Int, of matrix: Tensor, iterations: Int?, key: RandomKey
  ) -> SingularValues {
    guard let iterations, count + 8 < min(matrix.shape[0], matrix.shape[1]) else {
      return SingularValues(matrix).top(count)
    }
    let n = matrix.shape[1]
    var generator = key.generator
    let start = Tensor([n, count + 8], (0..<n * (count + 8)).map { _ in Float(generator.normal()) })
    var basis = orthonormalColumns(matmul(matrix, start))
    for _ in 0..<iterations {
      // One round: Qᵀ·M, orthogonalized, and back through M.
      let across = orthonormalColumns(product(transposing: matrix, basis))
      basis = orthonormalColumns(matmul(matrix, across))
    }
    let small = SingularValues(product(transposing: basis, matrix))
    return SingularValues(left: matmul(basis, small.left), values: small.values, right: small.right).top(
      count)
  }

  private func top(_ count: Int) -> SingularValues {
    let (m, k) = (left.shape[0], left.shape[1])
    let columns = left.array
    let kept = (0..<m).flatMap { row in columns[row * k..<row * k + count] }
    return SingularValues(
      left: Tensor([m, count], Array(kept)), values: Array(values.prefix(count)),
      right: gatherRows(right.detached, Array(0..<count)))
  }
}

/// `aᵀ·b`.
private func product(transposing a: Tensor, _ b: Tensor) -> Tensor {
  let (k, m, n) = (a.shape[0], a.shape[1], b.shape[1])
  let result = Tensor(uninitialized: [m, n])
  with(a, b, result) { a, b, c in
    Kernels.matmul(
      Operand(a, rowStride: m, transposed: true), Operand(b, rowStride: n), into: c, rowStride: n, m: m, n: n,
      k: k, beta: 0)
  }
  return result
}

/// An orthonormal basis of the columns (QR through LAPACK).
private func orthonormalColumns(_ matrix: Tensor) -> Tensor {
  let (m, n) = (matrix.shape[0], matrix.shape[1])
  let result = matrix.copied()
  var reflectors = [Float](repeating: 0, count: min(m, n))
  let count = Int32(reflectors.count)
  let status = result.withMutablePointer { a in
    let first = LAPACKE_sgeqrf(
      LAPACK_ROW_MAJOR, Int32(m), Int32(n), a, Int32(n), &reflectors)
    if first != 0 { return first }
    return LAPACKE_sorgqr(
      LAPACK_ROW_MAJOR, Int32(m), Int32(n), count, a, Int32(n), reflectors)
  }
  precondition(status == 0, "orthonormal columns: LAPACK status \(status) for [\(matrix.shape)]")
  return result
}
