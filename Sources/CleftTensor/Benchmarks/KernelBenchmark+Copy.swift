import Foundation
import Glibc

/// What a plain copy took.
public struct CopyResult: Sendable {
  /// Where all bytes of a loop fit.
  public enum Level: String, Sendable, CaseIterable {
    /// The second-level caches of the threads in use.
    case l2 = "L2"
    /// The last-level cache.
    case l3 = "L3"
    /// Memory alone.
    case memory
  }

  /// Bytes read and written together.
  public let bytes: Int
  /// Where they fit.
  public let level: Level
  /// The copy's time.
  public let timing: CallTiming

  /// 10⁹ bytes a second, read and written ones together, of the shortest copy.
  public var gigabytesPerSecond: Double { Double(bytes) / timing.best * 1e-9 }
}

extension KernelBenchmark {
  /// Copies of blocks that fit the second-level caches, the last-level cache, and memory alone.
  public func copies() -> [CopyResult] {
    let caches = CacheSizes.forThreads(Runtime.threadCount)
    let sizes = [caches.l2 / 2, (caches.l2 + caches.l3) / 2, max(64 << 20, min(4 * caches.l3, 1 << 30))]
    let works = sizes.map(CopyWork.init)
    let timings = works.flatMap { CallTiming.takingTurns([$0.run], milliseconds: milliseconds) }
    return zip(works, timings).map { $0.result($1) }
  }
}

/// A copy that reads and writes `bytes` bytes together, cut over the thread budget.
struct CopyWork {
  private let source, target: Storage
  private let bytes: Int

  init(bytes: Int) {
    self.bytes = bytes
    let half = max(64, bytes / 2)
    (source, target) = (Storage(byteCount: half), Storage(byteCount: half))
    // Pages that were never written may all be one page of zeros, which no cache misses.
    memset(source.base, 1, half)
  }

  func run() {
    let (from, to, count) = (source.base, target.base, source.byteCount)
    parallel((count + 63) / 64, grain: 1 << 11) { lines in
      let (first, end) = (lines.lowerBound * 64, min(lines.upperBound * 64, count))
      memcpy(to + first, from + first, end - first)
    }
  }

  func result(_ timing: CallTiming) -> CopyResult {
    CopyResult(bytes: 2 * source.byteCount, level: CacheSizes.level(bytes: bytes), timing: timing)
  }
}

/// Sizes of the caches that a number of threads has.
public struct CacheSizes: Sendable {
  /// Bytes of all second-level caches in use, and of the last-level ones.
  public let l2, l3: Int
  /// Whether the system told the sizes; otherwise usual ones are assumed.
  public let isKnown: Bool

  /// What the system says of the first processor's caches, times as many of them as the threads use.
  public static func forThreads(_ threads: Int) -> CacheSizes {
    let found = (0..<8).compactMap(Cache.init)
    func bytes(_ level: Int) -> Int? {
      guard let cache = found.first(where: { $0.level == level }) else { return nil }
      return cache.bytes * max(1, (threads + cache.sharedBy - 1) / cache.sharedBy)
    }
    let (l2, l3) = (bytes(2), bytes(3))
    let known = l2 ?? threads << 20
    return CacheSizes(l2: known, l3: max(l3 ?? 32 << 20, known), isKnown: l2 != nil && l3 != nil)
  }

  /// Where so many bytes fit on the current thread budget.
  static func level(bytes: Int) -> CopyResult.Level {
    let caches = forThreads(Runtime.threadCount)
    return bytes <= caches.l2 ? .l2 : bytes <= caches.l3 ? .l3 : .memory
  }

  /// One cache of the first processor, as its folder in `/sys` describes it.
  private struct Cache {
    let level, bytes, sharedBy: Int

    init?(index: Int) {
      func field(_ name: String) -> String? {
        let path = "/sys/devices/system/cpu/cpu0/cache/index\(index)/\(name)"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
      }
      guard let level = field("level").flatMap({ Int($0) }), let size = field("size"),
        let number = Int(size.prefix { $0.isNumber }), number > 0
      else { return nil }
      self.level = level
      let unit = size.hasSuffix("M") ? 1 << 20 : size.hasSuffix("K") ? 1 << 10 : 1
      bytes = number * unit
      let processors = (field("shared_cpu_map") ?? "").compactMap { $0.hexDigitValue?.nonzeroBitCount }
      sharedBy = max(1, processors.reduce(0, +))
    }
  }
}
