import CLAPACKE
import COneDNN
import COpenBLAS
import Dispatch
import Glibc
import Synchronization

/// The one thread budget of the process, and what the numeric libraries say about themselves.
public enum Runtime {
  private static let budget = Atomic<Int>(0)
  private static let products = Atomic<Int>(ProductType.float32.rawValue)

  /// What the factors of large matrix products are rounded to; set once, before the first operation.
  public static var productType: ProductType {
    get { ProductType(rawValue: products.load(ordering: .relaxed)) ?? .float32 }
    set { products.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// Threads that loops and matrix products may use.
  ///
  /// OpenBLAS itself always runs single-threaded: products are cut into tiles here, so that its threads and
  /// ours never compete.
  public static var threadCount: Int {
    let current = budget.load(ordering: .relaxed)
    if current > 0 { return current }
    configure(threads: availableThreads)
    return budget.load(ordering: .relaxed)
  }

  /// Sets the budget; call once, before the first operation.
  public static func configure(threads: Int) {
    openblas_set_num_threads(1)
    budget.store(max(1, threads), ordering: .relaxed)
  }

  /// Processors this process may use: the affinity mask, cut down to the cgroup's quota.
  public static let availableThreads: Int = {
    let mask = line(of: "/proc/self/status", startingWith: "Cpus_allowed:") ?? ""
    var count = mask.compactMap { $0.hexDigitValue?.nonzeroBitCount }.reduce(0, +)
    if count == 0 { count = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    if let quota = line(of: "/sys/fs/cgroup/cpu.max", startingWith: "")?.split(separator: " "),
      quota.count == 2,
      let limit = Double(quota[0]), let period = Double(quota[1]), period > 0
    {
      count = min(count, max(1, Int((limit / period).rounded(.up))))
    }
    return max(1, count)
  }()

  /// Blocks and bytes taken from the system for tensors since the start.
  public static var tensorMemory: (allocations: Int, bytes: Int) { MemoryPool.shared.systemUse }

  /// OpenBLAS's kernel family in use, for example `SkylakeX`.
  public static var blasCore: String { String(cString: openblas_get_corename()) }

  /// OpenBLAS's version and build options.
  public static var blasConfiguration: String { String(cString: openblas_get_config()) }

  /// LAPACK's version.
  public static var lapackVersion: String {
    var (major, minor, patch) = (Int32(0), Int32(0), Int32(0))
    LAPACKE_ilaver(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// oneDNN's version.
  public static var oneDNNVersion: String {
    guard let version = dnnl_version()?.pointee else { return "unknown" }
    return "\(version.major).\(version.minor).\(version.patch)"
  }

  /// Instruction sets the kernels were compiled for, by their `/proc/cpuinfo` names.
  public static var builtForFeatures: [String] {
    let built = Int(cleft_built_features())
    let names = [
      (CLEFT_FEATURE_AVX2, "avx2"), (CLEFT_FEATURE_FMA, "fma"), (CLEFT_FEATURE_AVX512F, "avx512f"),
      (CLEFT_FEATURE_AVX512BW, "avx512bw"), (CLEFT_FEATURE_AVX512VL, "avx512vl"),
      (CLEFT_FEATURE_AVX512BF16, "avx512_bf16"),
    ]
    return names.filter { built & $0.0 != 0 }.map(\.1)
  }

  /// What follows `prefix` in the first line of a small system file that starts with it.
  private static func line(of path: String, startingWith prefix: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), file) != nil {
      let text = String(
        decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix(prefix) { return String(text.dropFirst(prefix.count)) }
    }
    return nil
  }
}

/// Splits `0 ..< count` over the thread budget, in ranges of at least `grain`; the split depends only on the three.
@inline(__always)
func parallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
  let parts = min(Runtime.threadCount, max(1, count / max(1, grain)))
  if parts <= 1 {
    if count > 0 { body(0..<count) }
    return
  }
  spread(parts) { part in body(part * count / parts..<(part + 1) * count / parts) }
}

/// Runs `body(0) … body(count - 1)`, each once, on as many threads as the budget allows.
func spread(_ count: Int, _ body: (Int) -> Void) { spread(count) { item, _ in body(item) } }

/// The same, with the number of the worker that runs an item: below `min(Runtime.threadCount, count)`.
///
/// Within an item everything runs on the thread that has the item.
func spread(_ count: Int, limit: Int = Runtime.threadCount, _ body: (_ item: Int, _ worker: Int) -> Void) {
  let workers = min(limit, count)
  if workers <= 1 || WorkerTeam.isInside {
    for item in 0..<count { body(item, 0) }
    return
  }
  if WorkerTeam.shared.run(count, workers: workers, body) { return }
  // Another thread's region is running.
  let next = Atomic<Int>(0)
  nonisolated(unsafe) let body = body  // concurrentPerform returns only when every call has
  DispatchQueue.concurrentPerform(iterations: workers) { worker in
    while true {
      let item = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if item >= count { return }
      body(item, worker)
    }
  }
}

extension Runtime {
  /// `body(0) … body(count - 1)` on the thread budget, results in order; the first error by index is thrown.
  public static func map<Result: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> Result
  ) throws -> [Result] {
    let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
    spread(count) { index in
      let result = Swift.Result { try body(index) }
      results.withLock { $0[index] = result }
    }
    let done = results.withLock { $0 }
    return try (0..<count).compactMap { try done[$0]?.get() }
  }
}
