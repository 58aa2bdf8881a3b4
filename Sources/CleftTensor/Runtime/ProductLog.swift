import Synchronization

/// Extents and factors of one kind of matrix product.
public struct ProductShape: Hashable, Sendable {
  /// Rows and columns of the result, and the extent summed over.
  public let m, n, k: Int
  /// Which factors are read transposed.
  public let transposesA, transposesB: Bool
  /// Whether the factors are bfloat16.
  public let isHalf: Bool

  /// Describes a product.
  public init(m: Int, n: Int, k: Int, transposesA: Bool, transposesB: Bool, isHalf: Bool) {
    (self.m, self.n, self.k, self.isHalf) = (m, n, k, isHalf)
    (self.transposesA, self.transposesB) = (transposesA, transposesB)
  }

  /// Floating-point operations of one such product.
  public var operations: Double { 2 * Double(m) * Double(n) * Double(k) }
}

/// Which products ran, how often and for how long, between `start` and `stop`.
public enum ProductLog {
  /// What the products of one shape took together.
  public struct Entry: Sendable {
    /// How many ran.
    public var count = 0
    /// Seconds of all, at the calling thread.
    public var seconds = 0.0

    /// None yet.
    public init() {}
  }

  private static let isOn = Atomic<Bool>(false)
  private static let entries = Mutex<[ProductShape: Entry]>([:])

  /// Forgets what was noted and begins to note.
  public static func start() {
    entries.withLock { $0 = [:] }
    isOn.store(true, ordering: .relaxed)
  }

  /// Ends noting; products within attention and convolutions are not among the result.
  public static func stop() -> [ProductShape: Entry] {
    isOn.store(false, ordering: .relaxed)
    return entries.withLock { $0 }
  }

  @inline(__always)
  static func add(_ shape: @autoclosure () -> ProductShape, since start: Int) {
    guard isOn.load(ordering: .relaxed) else { return }
    note(shape(), nanoseconds: WorkClock.now() - start)
  }

  private static func note(_ shape: ProductShape, nanoseconds: Int) {
    entries.withLock { entries in
      entries[shape, default: Entry()].count += 1
      entries[shape, default: Entry()].seconds += Double(nanoseconds) * 1e-9
    }
  }
}
