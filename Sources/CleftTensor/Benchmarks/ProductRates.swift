import COneDNN
import COpenBLAS
import Glibc

/// How fast the numeric libraries by themselves multiply matrices of given shapes: one plain call each, on threads of
/// their own.
///
/// What products of this program reach is to be held against it.
public enum ProductRates {
  /// Floating-point operations a second of one shape.
  public struct Rate: Sendable, Equatable {
    /// Of the fastest library.
    public var fastest: Double
    /// Of OpenBLAS; nil for bfloat16 factors.
    public var openBLAS: Double?

    /// Makes a rate.
    public init(fastest: Double, openBLAS: Double?) {
      (self.fastest, self.openBLAS) = (fastest, openBLAS)
    }
  }

  /// The rates of every shape: the best of several calls with as many threads as the budget, and for products below
  /// `serialLimit` with one too, which there and on shared cores may be faster.
  ///
  /// float32 products are OpenBLAS's `cblas_sgemm` and oneDNN's `dnnl_sgemm`, bfloat16 ones oneDNN's
  /// `dnnl_gemm_bf16bf16f32`, whose result is float32. Nothing else may compute meanwhile: OpenBLAS has threads of its
  /// own only while this runs.
  ///
  /// - Parameter minimumSeconds: calls of one shape go on for at least so long, and are at least three.
  public static func measure(
    _ shapes: some Sequence<ProductShape>, minimumSeconds: Double = 0.01
  ) -> [ProductShape: Rate] {
    let shapes = Set(shapes).filter { $0.operations > 0 }
    if shapes.isEmpty { return [:] }
    let operands = Operands(shapes)
    defer { setThreads(1) }
    var rates: [ProductShape: Rate] = [:]
    for threads in Set([1, Runtime.threadCount]) {
      setThreads(threads)
      for shape in shapes where threads == Runtime.threadCount || shape.operations < serialLimit {
        func rate(_ body: () -> Void) -> Double {
          shape.operations / best(atLeast: minimumSeconds, body)
        }
        let known = rates[shape]
        if shape.isHalf {
          let half = rate { operands.multiplyHalf(shape) }
          rates[shape] = Rate(fastest: max(known?.fastest ?? 0, half), openBLAS: nil)
        } else {
          let openBLAS = max(known?.openBLAS ?? 0, rate { operands.multiplyByOpenBLAS(shape) })
          let other = rate { operands.multiplyByOneDNN(shape) }
          rates[shape] = Rate(fastest: max(known?.fastest ?? 0, openBLAS, other), openBLAS: openBLAS)
        }
      }
    }
    return rates
  }

  /// Products of so many operations are never faster on one thread.
  private static let serialLimit = 1e9

  private static func setThreads(_ count: Int) {
    openblas_set_num_threads(Int32(count))
    Library.setThreads?(Int32(count))
  }

  /// Seconds of the fastest of several calls, after one that warms up.
  private static func best(atLeast minimumSeconds: Double, _ body: () -> Void) -> Double {
    body()
    var (best, spent, calls) = (Double.infinity, 0.0, 0)
    while calls < 3 || spent < minimumSeconds {
      let start = WorkClock.now()
      body()
      let seconds = Double(max(1, WorkClock.now() - start)) * 1e-9
      (best, spent, calls) = (min(best, seconds), spent + seconds, calls + 1)
    }
    return best
  }
}

/// oneDNN's product and its threads, looked up by name.
private enum Library {
  static let halfProduct: cleft_half_gemm? = dlsym(nil, "dnnl_gemm_bf16bf16f32").map {
    unsafeBitCast($0, to: cleft_half_gemm.self)
  }

  static let setThreads: cleft_set_threads? = dlsym(nil, "omp_set_num_threads").map {
    unsafeBitCast($0, to: cleft_set_threads.self)
  }
}

/// Room for the factors and results of all shapes, filled with ordinary numbers.
private struct Operands {
  private let a, b, c: Tensor
  private let halfA, halfB: HalfMatrix?

  init(_ shapes: Set<ProductShape>) {
    func filled(_ count: Int) -> Tensor { Tensor([max(1, count)], repeating: 0.25) }
    func most(_ size: (ProductShape) -> Int, isHalf: Bool) -> Int {
      shapes.filter { $0.isHalf == isHalf }.map(size).max() ?? 0
    }
    a = filled(most({ $0.m * $0.k }, isHalf: false))
    b = filled(most({ $0.k * $0.n }, isHalf: false))
    c = Tensor([shapes.map { $0.m * $0.n }.max() ?? 1])
    func half(_ count: Int) -> HalfMatrix? { count == 0 ? nil : HalfMatrix(rounding: filled(count)) }
    halfA = half(most({ $0.m * $0.k }, isHalf: true))
    halfB = half(most({ $0.k * $0.n }, isHalf: true))
  }

  /// A float32 product by OpenBLAS.
  func multiplyByOpenBLAS(_ shape: ProductShape) {
    let (aStride, bStride) = strides(shape)
    with(a, b, c) { a, b, c in
      cblas_sgemm(
        CblasRowMajor, shape.transposesA ? CblasTrans : CblasNoTrans,
        shape.transposesB ? CblasTrans : CblasNoTrans, blasint(shape.m), blasint(shape.n), blasint(shape.k),
        1, a, blasint(aStride), b, blasint(bStride), 0, c, blasint(shape.n))
    }
  }

  /// A float32 product by oneDNN.
  func multiplyByOneDNN(_ shape: ProductShape) {
    let (aStride, bStride) = strides(shape)
    with(a, b, c) { a, b, c in
      let status = dnnl_sgemm(
        letter(shape.transposesA), letter(shape.transposesB), dnnl_dim_t(shape.m), dnnl_dim_t(shape.n),
        dnnl_dim_t(shape.k), 1, a, dnnl_dim_t(aStride), b, dnnl_dim_t(bStride), 0, c, dnnl_dim_t(shape.n))
      precondition(status == dnnl_success, "float32 product: oneDNN status \(status.rawValue)")
    }
  }

  /// A product of bfloat16 factors.
  func multiplyHalf(_ shape: ProductShape) {
    let (aStride, bStride) = strides(shape)
    guard let gemm = Library.halfProduct, let halfA, let halfB else {
      preconditionFailure("product rates: a bfloat16 product without oneDNN's")
    }
    c.withMutablePointer { c in
      let status = gemm(
        letter(shape.transposesA), letter(shape.transposesB), dnnl_dim_t(shape.m), dnnl_dim_t(shape.n),
        dnnl_dim_t(shape.k), 1, halfA.bits, dnnl_dim_t(aStride), halfB.bits, dnnl_dim_t(bStride), 0, c,
        dnnl_dim_t(shape.n))
      precondition(status == dnnl_success, "bfloat16 product: oneDNN status \(status.rawValue)")
    }
    withExtendedLifetime((halfA, halfB)) {}
  }

  /// How far apart the rows of the factors are.
  private func strides(_ shape: ProductShape) -> (a: Int, b: Int) {
    (shape.transposesA ? shape.m : shape.k, shape.transposesB ? shape.k : shape.n)
  }

  private func letter(_ isTransposed: Bool) -> CChar {
    CChar(bitPattern: UInt8(ascii: isTransposed ? "T" : "N"))
  }
}
