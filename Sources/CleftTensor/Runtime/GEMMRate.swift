/// Measures matrix products.
public enum GEMMRate {
  /// Best of several products of square matrices, in 10⁹ floating-point operations a second.
  public static func measure(size: Int) -> Double {
    let (a, b) = (Tensor([size, size], repeating: 1), Tensor([size, size], repeating: 1))
    let c = Tensor([size, size])
    var best = Duration.seconds(3600)
    for _ in 0..<5 {
      let time = ContinuousClock().measure {
        with(a, b, c) { a, b, c in
          Kernels.matmul(
            Operand(a, rowStride: size), Operand(b, rowStride: size), into: c, rowStride: size, m: size,
            n: size,
            k: size, beta: 0)
        }
      }
      best = min(best, time)
    }
    let seconds = Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds)
    return 2 * Double(size) * Double(size) * Double(size) / seconds / 1e9
  }
}
