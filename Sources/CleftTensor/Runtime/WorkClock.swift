import Glibc
import Synchronization

/// How long the threads that call operations have been in each kind of heavy work.
///
/// Only whole operations are timed, at the calling thread: the threads that an operation is spread over are not counted
/// again, nor is a product within attention. Two readings of the clock an operation take some 50 ns.
enum WorkClock {
  private static let products = Atomic<Int>(0)
  private static let attention = Atomic<Int>(0)

  /// Kinds of work.
  enum Kind {
    /// Matrix products and convolutions.
    case product
    /// Attention, forward and backward.
    case attention
  }

  /// Nanoseconds on a clock that is never set.
  @inline(__always)
  static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  /// Adds what has passed since `start`.
  @inline(__always)
  static func add(_ kind: Kind, since start: Int) {
    switch kind {
    case .product: products.wrappingAdd(now() - start, ordering: .relaxed)
    case .attention: attention.wrappingAdd(now() - start, ordering: .relaxed)
    }
  }

  /// Seconds so far.
  static var seconds: (products: Double, attention: Double) {
    (Double(products.load(ordering: .relaxed)) * 1e-9, Double(attention.load(ordering: .relaxed)) * 1e-9)
  }
}

extension Runtime {
  /// Seconds that the threads which call operations have spent in matrix products (convolutions among them) and in
  /// attention since the start; the difference of two readings over the time between them is a share of the run.
  public static var workSeconds: (products: Double, attention: Double) { WorkClock.seconds }
}
