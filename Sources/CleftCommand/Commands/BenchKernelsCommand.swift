import ArgumentParser
import CleftFormats
import CleftTensor
import Foundation

/// `cleft bench kernels`: how fast each loop over memory runs.
struct BenchKernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Time every kernel in nanoseconds an element and GB/s beside a plain copy.",
    discussion: """
      Times are those of the whole thread budget. GB/s counts what a kernel has to read and write at least, each byte \
      once; 'of copy' is that as a part of what memcpy reaches with as many bytes, measured in turns with the kernel; \
      'fits' says which caches hold them. A copy of large blocks writes past the caches, so that a loop with ordinary \
      stores reaches about two thirds of it in memory. The default extents are those of a training at 'small' with \
      batch 16.
      """)

  @Option(help: .value("threads", "Threads to use; default: the processors this process may use."))
  var threads: Int?
  @Option(help: .value("text", "Only kernels with this in their name, group or function.")) var only: String?
  @Option(help: .value("ms", "How long each kernel and each copy runs.")) var milliseconds = 50.0
  @Option(help: .value("rows", "Rows of the activations: tokens of all images.")) var rows = 4176
  @Option(help: .value("channels", "Channels of the activations, a multiple of 64.")) var width = 384
  @Flag(help: "Print the kernels' names and functions, and time nothing.") var list = false
  @Flag(help: "Print one JSON object instead of a table.") var json = false

  mutating func validate() throws {
    if let threads { try requireOption((1...4096).contains(threads), "threads", threads, "1 to 4096") }
    try requireOption((1...1 << 20).contains(rows), "rows", rows, "1 to 1048576")
    try requireOption(
      (64...1 << 14).contains(width) && width % 64 == 0, "width", width, "a multiple of 64 up to 16384")
    try requireOption((0...60_000).contains(milliseconds), "milliseconds", milliseconds, "0 to 60000")
    if let only, KernelBenchmark.lines(matching: only).isEmpty {
      let near = nearestNames(to: only, among: KernelBenchmark.lines().flatMap { [$0.name, $0.group] })
      throw ValidationError(
        "--only is '\(only)'; no kernel has that. Nearest: \(near.joined(separator: ", ")).")
    }
  }

  func run() throws {
    if let threads { Runtime.configure(threads: threads) }
    let lines = KernelBenchmark.lines(matching: only)
    if list {
      print(json ? jsonText(lines.map(KernelLineJSON.init), pretty: true) : KernelTable.list(lines))
      return
    }
    let benchmark = KernelBenchmark(rows: rows, width: width, milliseconds: milliseconds)
    let copies = benchmark.copies()
    var results: [KernelResult] = []
    if !json { print(KernelTable.head(benchmark, copies)) }
    benchmark.run(matching: only) { result in
      if json {
        results.append(result)
      } else {
        if results.last?.line.group != result.line.group { print(result.line.group) }
        print(KernelTable.row(result))
        // Where output goes to a file or a pipe, lines appear as they are measured, too.
        fflush(nil)
        results.append(result)
      }
    }
    if json {
      let skipped = lines.filter { !$0.isAvailable }.map(\.name)
      print(jsonText(KernelReportJSON(benchmark, copies, results, skipped: skipped), pretty: true))
    } else {
      for note in [KernelTable.note(lines), KernelTable.skipped(lines)].compactMap(\.self) { print(note) }
    }
  }
}

/// The benchmark's lines for people, at most 100 columns.
private enum KernelTable {
  /// Name, shape and level at the left, numbers at the right.
  private static let widths = [36, 14, 7, -9, -9, -8, -8, -9]

  static func head(_ benchmark: KernelBenchmark, _ copies: [CopyResult]) -> String {
    let caches = CacheSizes.forThreads(Runtime.threadCount)
    var lines = [
      "\(Runtime.threadCount) threads, \(benchmark.rows) rows of \(benchmark.width) channels",
      "caches of these threads: L2 \(size(caches.l2)), L3 \(size(caches.l3))"
        + (caches.isKnown ? "" : " (assumed: the system does not tell)"),
    ]
    for copy in copies {
      lines.append(
        line([
          "plain copy", size(copy.bytes), copy.level.rawValue, "", "", number(copy.gigabytesPerSecond), "",
          "",
        ]))
    }
    lines += ["", line(["kernel", "shape", "fits", "ns/elem", "median", "GB/s", "of copy", "GFLOP/s"])]
    return lines.joined(separator: "\n")
  }

  static func row(_ result: KernelResult) -> String {
    line([
      "  \(result.line.name)", result.shape, result.copy.level.rawValue, number(result.nanosecondsPerElement),
      number(result.medianNanosecondsPerElement), number(result.gigabytesPerSecond),
      "\(Int((100 * result.copyFraction).rounded())) %", result.gigaflopsPerSecond.map(number) ?? "",
    ])
  }

  private static func line(_ cells: [String]) -> String {
    let text = zip(cells, widths).map { $0.padded(to: $1) }.joined()
    return String(text.reversed().drop { $0 == " " }.reversed())
  }

  static func list(_ lines: [KernelBenchmark.Line]) -> String {
    lines.map {
      "\($0.group.padded(to: 13))\($0.name.padded(to: 35))\($0.functions.joined(separator: ", "))"
    }.joined(separator: "\n")
  }

  /// What the table does not say by itself; nil if nothing.
  static func note(_ lines: [KernelBenchmark.Line]) -> String? {
    if Runtime.hasHalfProducts || !lines.contains(where: { $0.name.hasPrefix("bfloat16") }) {
      return nil
    }
    return "note: this processor has no bfloat16 products; they are widened and run in float32."
  }

  /// Kernels that this processor cannot run; nil if there are none.
  static func skipped(_ lines: [KernelBenchmark.Line]) -> String? {
    let names = lines.filter { !$0.isAvailable }.map(\.name)
    if names.isEmpty { return nil }
    return "note: \(names.count) left out, as this processor has no bfloat16 products: "
      + names.joined(separator: "; ") + "."
  }

  private static func size(_ bytes: Int) -> String {
    bytes < 10 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB"
  }

  /// Three digits that count, all of those before the point.
  private static func number(_ value: Double) -> String {
    let decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : value >= 0.1 ? 3 : 4
    return String(format: "%.\(decimals)f", value)
  }
}

private struct KernelLineJSON: Encodable {
  let group, name: String
  let functions: [String]

  init(_ line: KernelBenchmark.Line) {
    (group, name, functions) = (line.group, line.name, line.functions)
  }
}

private struct KernelReportJSON: Encodable {
  struct Copy: Encodable {
    let fits: String
    let bytes: Int
    let best_s, median_s, gb_per_s: Double

    init(_ copy: CopyResult) {
      (fits, bytes) = (copy.level.rawValue, copy.bytes)
      (best_s, median_s, gb_per_s) = (copy.timing.best, copy.timing.median, copy.gigabytesPerSecond)
    }
  }

  let threads, rows, width, l2_bytes, l3_bytes: Int
  let caches_known, bfloat16_products: Bool
  let milliseconds: Double
  let copies: [Copy]
  let kernels: [KernelJSON]
  /// Names of kernels that this processor cannot run.
  let skipped: [String]

  init(
    _ benchmark: KernelBenchmark, _ copies: [CopyResult], _ results: [KernelResult], skipped: [String]
  ) {
    self.skipped = skipped
    let caches = CacheSizes.forThreads(Runtime.threadCount)
    (threads, rows, width) = (Runtime.threadCount, benchmark.rows, benchmark.width)
    (l2_bytes, l3_bytes, caches_known) = (caches.l2, caches.l3, caches.isKnown)
    (bfloat16_products, milliseconds) = (Runtime.hasHalfProducts, benchmark.milliseconds)
    self.copies = copies.map(Copy.init)
    kernels = results.map(KernelJSON.init)
  }
}

private struct KernelJSON: Encodable {
  let result: KernelResult

  init(_ result: KernelResult) { self.result = result }

  enum CodingKeys: String, CodingKey {
    case group, name, functions, shape, elements, bytes, operations, best_s, median_s, samples
    case ns_per_element, median_ns_per_element, gb_per_s, fits, copy_gb_per_s, copy_fraction, gflop_per_s
  }

  /// Every key in every kernel, null where a number has no meaning.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(result.line.group, forKey: .group)
    try container.encode(result.line.name, forKey: .name)
    try container.encode(result.line.functions, forKey: .functions)
    try container.encode(result.shape, forKey: .shape)
    try container.encode(result.elements, forKey: .elements)
    try container.encode(result.bytes, forKey: .bytes)
    try container.encode(result.operations, forKey: .operations)
    try container.encode(result.timing.best, forKey: .best_s)
    try container.encode(result.timing.median, forKey: .median_s)
    try container.encode(result.timing.sampleCount, forKey: .samples)
    try container.encode(result.nanosecondsPerElement, forKey: .ns_per_element)
    try container.encode(result.medianNanosecondsPerElement, forKey: .median_ns_per_element)
    try container.encode(result.gigabytesPerSecond, forKey: .gb_per_s)
    try container.encode(result.copy.level.rawValue, forKey: .fits)
    try container.encode(result.copy.gigabytesPerSecond, forKey: .copy_gb_per_s)
    try container.encode(result.copyFraction, forKey: .copy_fraction)
    try container.encode(result.gigaflopsPerSecond, forKey: .gflop_per_s)
  }
}
