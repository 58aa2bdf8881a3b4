import CLAPACKE
import COpenBLAS

/// A symmetric positive definite matrix, factored so that systems of equations with it are quick to solve.
///
/// - Shapes: the matrix `[order, order]`.
/// - Numerics: float64; Cholesky's factor by LAPACK's `dpotrf`, solved with by forward and backward substitution.
public struct SymmetricSystem: Sendable {
  /// Rows, and columns.
  public let order: Int
  /// `L` of `L·Lᵀ`, below and on the diagonal; above it whatever was there.
  private let factor: [Double]

  /// Factors a matrix of which only what is below and on the diagonal is read; nil where it is not positive definite.
  public init?(lower matrix: [Double], order: Int) {
    precondition(
      matrix.count == order * order, "symmetric system: \(matrix.count) numbers for order \(order)")
    // BLAS runs single-threaded from here on.
    _ = Runtime.threadCount
    var factor = matrix
    // Below the diagonal row by row is above the diagonal column by column, as LAPACK counts.
    let status = LAPACKE_dpotrf(
      LAPACK_COL_MAJOR, CChar(bitPattern: UInt8(ascii: "U")), Int32(order), &factor, Int32(max(order, 1)))
    precondition(status >= 0, "symmetric system: LAPACK status \(status) for order \(order)")
    guard status == 0 else { return nil }
    (self.order, self.factor) = (order, factor)
  }

  /// Puts the solution `X` of `A·X = B` in the place of `B`.
  ///
  /// - Shapes: `right` `[order, columns]`.
  public func solve(_ right: inout [Double], columns: Int) {
    precondition(
      right.count == order * columns, "symmetric system: \(right.count) numbers for [\(order), \(columns)]")
    if columns == 0 || order == 0 { return }
    for transpose in [CblasNoTrans, CblasTrans] {
      cblas_dtrsm(
        CblasRowMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, blasint(order), blasint(columns), 1,
        factor, blasint(order), &right, blasint(columns))
    }
  }
}
