import COneDNN
import COpenBLAS

/// One operand of a product: where it lies, how far apart its rows are, whether it is read transposed.
struct Operand {
  let pointer: UnsafePointer<Float>
  let rowStride: Int
  let isTransposed: Bool

  @inline(__always)
  init(_ pointer: UnsafeMutablePointer<Float>, rowStride: Int, transposed: Bool = false) {
    self.pointer = UnsafePointer(pointer)
    self.rowStride = rowStride
    isTransposed = transposed
  }

  private init(_ pointer: UnsafePointer<Float>, _ rowStride: Int, _ isTransposed: Bool) {
    (self.pointer, self.rowStride, self.isTransposed) = (pointer, rowStride, isTransposed)
  }

  /// The same from `offset` elements on.
  @inline(__always)
  func from(_ offset: Int) -> Operand { Operand(pointer + offset, rowStride, isTransposed) }
}

extension Kernels {
  /// `c = alpha · a·b + beta · c` on the calling thread; `c` is `m × n`, the inner extent `k`.
  @inline(__always)
  static func matmulSerial(
    _ a: Operand, _ b: Operand, into c: Pointer, rowStride: Int, m: Int, n: Int, k: Int, alpha: Float = 1,
    beta: Float
  ) {
    if m * n * k >= smallProduct {
      HalfProduct.setThreads?(1)
      let status = dnnl_sgemm(
        CChar(bitPattern: UInt8(ascii: a.isTransposed ? "T" : "N")),
        CChar(bitPattern: UInt8(ascii: b.isTransposed ? "T" : "N")), dnnl_dim_t(m), dnnl_dim_t(n),
        dnnl_dim_t(k),
        alpha, a.pointer, dnnl_dim_t(a.rowStride), b.pointer, dnnl_dim_t(b.rowStride), beta, c,
        dnnl_dim_t(rowStride))
      if status == dnnl_success { return }
    }
    cblas_sgemm(
      CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
      blasint(m), blasint(n), blasint(k), alpha, a.pointer, blasint(a.rowStride), b.pointer,
      blasint(b.rowStride), beta, c, blasint(rowStride))
  }

  /// Products of fewer multiplications go to OpenBLAS, which starts faster; oneDNN sustains a few percent more.
  private static var smallProduct: Int { 1 << 18 }

  /// `c = alpha · a·b + beta · c`, cut into one tile of `c` a thread.
  ///
  /// The inner extent is never cut. The libraries may choose another kernel for a tile of another size, so results are the same
  /// to the bit for one thread count, and to rounding for another.
  static func matmul(
    _ a: Operand, _ b: Operand, into c: Pointer, rowStride: Int, m: Int, n: Int, k: Int, alpha: Float = 1,
    beta: Float
  ) {
    if m == 0 || n == 0 { return }
    let start = WorkClock.now()
    defer {
      WorkClock.add(.product, since: start)
      ProductLog.add(
        ProductShape(
          m: m, n: n, k: k, transposesA: a.isTransposed, transposesB: b.isTransposed, isHalf: false),
        since: start)
    }
    let (down, across) = tileGrid(m, n, k)
    spread(down * across) { tile in
      let (i, j) = (tile / across, tile % across)
      let (top, bottom) = (cut(m, i, down), cut(m, i + 1, down))
      let (left, right) = (cut(n, j, across), cut(n, j + 1, across))
      if top == bottom || left == right { return }
      matmulSerial(
        a.from(a.isTransposed ? top : top * a.rowStride), b.from(b.isTransposed ? left * b.rowStride : left),
        into: c + top * rowStride + left, rowStride: rowStride, m: bottom - top, n: right - left, k: k,
        alpha: alpha, beta: beta)
    }
  }

  /// Tile boundaries fall on multiples of 16, so that every tile starts on whole vectors.
  static func cut(_ extent: Int, _ index: Int, _ parts: Int) -> Int {
    index == parts ? extent : min(extent, (extent * index / parts + 8) / 16 * 16)
  }

  static func tileGrid(_ m: Int, _ n: Int, _ k: Int) -> (down: Int, across: Int) {
    let threads = Runtime.threadCount
    if threads == 1 || m * n * k < 1 << 18 { return (1, 1) }
    var best = (down: threads, across: 1)
    var bestCost = Int.max
    for down in 1...threads where threads % down == 0 {
      let across = threads / down
      if down * 16 > m && down > 1 || across * 16 > n && across > 1 { continue }
      let cost = m / down + n / across
      if cost < bestCost { (best, bestCost) = ((down, across), cost) }
    }
    return bestCost == Int.max ? (1, 1) : best
  }
}
