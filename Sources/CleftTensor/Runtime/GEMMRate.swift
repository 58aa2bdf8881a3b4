/// Measures matrix products and copies.
public enum GEMMRate {
  /// Best of several products of square matrices, in 10⁹ floating-point operations a second.
  public static func measure(size: Int) -> Double {
    let (a, b) = (Tensor([size, size], repeating: 1), Tensor([size, size], repeating: 1))
    let c = Tensor([size, size])
    let seconds = fastest {
      with(a, b, c) { a, b, c in
        Kernels.matmul(
          Operand(a, rowStride: size), Operand(b, rowStride: size), into: c, rowStride: size, m: size,
          n: size,
          k: size, beta: 0)
      }
    }
    return 2 * Double(size) * Double(size) * Double(size) / seconds / 1e9
  }

  /// The same of bfloat16 matrices with sums in float32, by oneDNN; nil where it has no such products here.
  public static func measureHalf(size: Int) -> Double? {
    guard Runtime.hasHalfProducts else { return nil }
    let shape = ProductShape(
      m: size, n: size, k: size, transposesA: false, transposesB: false, isHalf: true)
    return ProductRates.measure([shape], minimumSeconds: 0.1)[shape].map { $0.fastest / 1e9 }
  }

  /// Best of several copies between blocks of `byteCount` bytes, in 10⁹ bytes read and written a second.
  ///
  /// Blocks larger than the last cache measure the memory.
  public static func measureCopy(byteCount: Int) -> Double {
    let count = max(1, byteCount / MemoryLayout<Float>.stride)
    let (source, target) = (Tensor([count], repeating: 1), Tensor([count]))
    let seconds = fastest {
      with(source, target) { source, target in
        parallel(count, grain: 1 << 16) { range in
          (target + range.lowerBound).update(from: source + range.lowerBound, count: range.count)
        }
      }
    }
    return 2 * Double(count * MemoryLayout<Float>.stride) / seconds / 1e9
  }

  /// Seconds of the fastest of five runs.
  private static func fastest(_ body: () -> Void) -> Double {
    let best = (0..<5).map { _ in ContinuousClock().measure(body) }.min() ?? .zero
    return max(1e-9, Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds))
  }
}
