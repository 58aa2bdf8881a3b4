import COneDNN
import Glibc

/// One bfloat16 operand of a product.
struct HalfOperand {
  let matrix: HalfMatrix
  let isTransposed: Bool

  init(_ matrix: HalfMatrix, transposed: Bool = false) {
    self.matrix = matrix
    isTransposed = transposed
  }
}

/// oneDNN's bfloat16 product, looked up when first wanted.
enum HalfProduct {
  /// Nil where the library has none.
  static let gemm: cleft_half_gemm? = symbol("dnnl_gemm_bf16bf16f32").map {
    unsafeBitCast($0, to: cleft_half_gemm.self)
  }

  /// oneDNN runs single-threaded on the threads that call it, as OpenBLAS does: one budget.
  static let setThreads: cleft_set_threads? = symbol("omp_set_num_threads").map {
    unsafeBitCast($0, to: cleft_set_threads.self)
  }

  private static func symbol(_ name: String) -> UnsafeMutableRawPointer? { dlsym(nil, name) }
}

extension Kernels {
  /// `c = a·b + beta · c` with bfloat16 factors and float32 sums, cut into one tile of `c` a thread.
  ///
  /// Where oneDNN cannot do it the factors are widened and multiplied in float32.
  static func matmul(
    _ a: HalfOperand, _ b: HalfOperand, into c: Pointer, m: Int, n: Int, k: Int, beta: Float
  ) {
    if m == 0 || n == 0 { return }
    guard let gemm = HalfProduct.gemm, Runtime.hasHalfProducts else {
      return widenedMatmul(a, b, into: c, m: m, n: n, k: k, beta: beta)
    }
    let start = WorkClock.now()
    defer {
      WorkClock.add(.product, since: start)
      ProductLog.add(
        ProductShape(
          m: m, n: n, k: k, transposesA: a.isTransposed, transposesB: b.isTransposed, isHalf: true),
        since: start)
    }
    let (down, across) = tileGrid(m, n, k)
    let (first, second) = (a.matrix.bits, b.matrix.bits)
    let (aStride, bStride) = (a.matrix.columns, b.matrix.columns)
    spread(down * across) { tile in
      let (i, j) = (tile / across, tile % across)
      let (top, bottom) = (cut(m, i, down), cut(m, i + 1, down))
      let (left, right) = (cut(n, j, across), cut(n, j + 1, across))
      if top == bottom || left == right { return }
      HalfProduct.setThreads?(1)
      let status = gemm(
        CChar(bitPattern: UInt8(ascii: a.isTransposed ? "T" : "N")),
        CChar(bitPattern: UInt8(ascii: b.isTransposed ? "T" : "N")), dnnl_dim_t(bottom - top),
        dnnl_dim_t(right - left), dnnl_dim_t(k), 1, first + (a.isTransposed ? top : top * aStride),
        dnnl_dim_t(aStride), second + (b.isTransposed ? left * bStride : left), dnnl_dim_t(bStride), beta,
        c + top * n + left, dnnl_dim_t(n))
      precondition(status == dnnl_success, "bfloat16 product: oneDNN status \(status.rawValue)")
    }
    withExtendedLifetime((a.matrix, b.matrix)) {}
  }

  /// `c = alpha · a·b + beta · c` with bfloat16 factors on the calling thread; only where `Runtime.hasHalfProducts`.
  @inline(__always)
  static func matmulSerial(
    _ a: UnsafeMutablePointer<BFloat16>, _ aStride: Int, transposingA: Bool = false,
    _ b: UnsafeMutablePointer<BFloat16>, _ bStride: Int, transposingB: Bool = false, into c: Pointer,
    _ cStride: Int, m: Int, n: Int, k: Int, alpha: Float = 1, beta: Float = 0
  ) {
    guard let gemm = HalfProduct.gemm else { preconditionFailure("bfloat16 product: oneDNN has none") }
    HalfProduct.setThreads?(1)
    let status = gemm(
      CChar(bitPattern: UInt8(ascii: transposingA ? "T" : "N")),
      CChar(bitPattern: UInt8(ascii: transposingB ? "T" : "N")), dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k),
      alpha, UnsafeRawPointer(a).assumingMemoryBound(to: UInt16.self), dnnl_dim_t(aStride),
      UnsafeRawPointer(b).assumingMemoryBound(to: UInt16.self), dnnl_dim_t(bStride), beta, c,
      dnnl_dim_t(cStride))
    precondition(status == dnnl_success, "bfloat16 product: oneDNN status \(status.rawValue)")
  }

  private static func widenedMatmul(
    _ a: HalfOperand, _ b: HalfOperand, into c: Pointer, m: Int, n: Int, k: Int, beta: Float
  ) {
    with(a.matrix.widened, b.matrix.widened) { x, y in
      matmul(
        Operand(x, rowStride: a.matrix.columns, transposed: a.isTransposed),
        Operand(y, rowStride: b.matrix.columns, transposed: b.isTransposed), into: c, rowStride: n, m: m,
        n: n,
        k: k, beta: beta)
    }
  }
}

extension Runtime {
  /// Whether products of bfloat16 matrices run as such on this processor.
  public static let hasHalfProducts: Bool = {
    guard HalfProduct.gemm != nil else { return false }
    // Sets of bits, not ranks.
    let (isa, wanted) = (dnnl_get_effective_cpu_isa().rawValue, dnnl_cpu_isa_avx512_core_bf16.rawValue)
    return isa & wanted == wanted
  }()
}
