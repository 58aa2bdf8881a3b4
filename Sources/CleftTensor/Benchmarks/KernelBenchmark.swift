/// Times every kernel beside a plain copy of as many bytes.
///
/// Kernel and copy take turns on the same thread budget, so that what else the machine does weighs on both. The copy is
/// `memcpy`, which writes large blocks past the caches: a loop with ordinary stores also has to fetch the lines it
/// overwrites, and in memory reaches about two thirds of it.
public struct KernelBenchmark: Sendable {
  /// Rows and channels of the activations.
  public let rows, width: Int
  /// How long each kernel and each copy runs, in milliseconds.
  public let milliseconds: Double

  /// Makes a benchmark; without arguments with the image tower's activations at `small` and batch 16.
  public init(rows: Int = 4176, width: Int = 384, milliseconds: Double = 50) {
    precondition(
      rows > 0 && width > 0 && width % KernelSizes.headSize == 0 && milliseconds >= 0,
      "kernel benchmark: \(rows) rows of \(width), \(milliseconds) ms")
    self.rows = rows
    self.width = width
    self.milliseconds = milliseconds
  }

  /// A line of the benchmark.
  public struct Line: Sendable, Hashable {
    /// Kind of kernel, for example `attention`.
    public internal(set) var group: String
    /// Unique name.
    public let name: String
    /// Functions that it times.
    public let functions: [String]
    /// Whether it runs only where the processor multiplies bfloat16 numbers.
    public internal(set) var needsHalfProducts: Bool

    /// Whether it runs on this processor.
    public var isAvailable: Bool { !needsHalfProducts || Runtime.hasHalfProducts }

    /// Whether group, name or a function contains a text, in either case.
    public func matches(_ text: String) -> Bool {
      let wanted = text.lowercased()
      return ([group, name] + functions).contains { $0.lowercased().contains(wanted) }
    }
  }

  /// All lines in order, or those that match a text.
  public static func lines(matching text: String? = nil) -> [Line] {
    KernelCatalog.entries.map(\.line).filter { line in text.map(line.matches) ?? true }
  }

  /// Times the lines that match `text`, or all, and hands each result over as it is there; lines that are not
  /// available are left out.
  public func run(matching text: String? = nil, _ report: (KernelResult) throws -> Void) rethrows {
    let sizes = KernelSizes(rows: rows, width: width)
    for entry in KernelCatalog.entries where entry.line.isAvailable && text.map(entry.line.matches) ?? true {
      try report(result(entry, sizes))
    }
  }

  private func result(_ entry: KernelEntry, _ sizes: KernelSizes) -> KernelResult {
    let work = entry.prepare(sizes)
    let copy = CopyWork(bytes: work.bytes)
    let timings = CallTiming.takingTurns([work.run, copy.run], milliseconds: milliseconds)
    return KernelResult(
      line: entry.line, shape: work.shape, elements: work.elements, bytes: work.bytes,
      operations: work.operations, timing: timings[0], copy: copy.result(timings[1]))
  }
}

/// What a kernel took, and what a copy of as many bytes took beside it.
public struct KernelResult: Sendable {
  /// Which kernel.
  public let line: KernelBenchmark.Line
  /// Extents it ran on, for people.
  public let shape: String
  /// Elements that its time is divided by: of the result, or of the input where that is larger.
  public let elements: Int
  /// Bytes that have to be read and written at least, each once.
  public let bytes: Int
  /// Floating-point operations; nil where the bytes say more.
  public let operations: Double?
  /// Its time.
  public let timing: CallTiming
  /// The copy of as many bytes, read and written ones together.
  public let copy: CopyResult

  /// Nanoseconds an element, of the shortest call.
  public var nanosecondsPerElement: Double { timing.best * 1e9 / Double(elements) }

  /// Nanoseconds an element, of the middle call.
  public var medianNanosecondsPerElement: Double { timing.median * 1e9 / Double(elements) }

  /// 10⁹ bytes a second, of the shortest call.
  public var gigabytesPerSecond: Double { Double(bytes) / timing.best * 1e-9 }

  /// Rate of bytes as a part of the copy's.
  public var copyFraction: Double { gigabytesPerSecond / copy.gigabytesPerSecond }

  /// 10⁹ floating-point operations a second, of the shortest call.
  public var gigaflopsPerSecond: Double? { operations.map { $0 / timing.best * 1e-9 } }
}
