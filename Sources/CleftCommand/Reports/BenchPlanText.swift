import CleftTraining
import Foundation

/// A plan as tables to read, no line longer than 100 columns.
struct BenchPlanText {
  let report: BenchPlanReport

  /// All tables.
  var text: String {
    ([[report.title] + stageRows] + report.stages.map(operations) + [memory, times, figures, left])
      .filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  // MARK: - What is planned

  private var stageRows: [String] {
    report.stages.enumerated().flatMap { index, stage -> [String] in
      let front = "  \(index + 1) " + Self.left(stage.name, 15)
      let more = String(repeating: " ", count: front.count)
      guard let shortest = stage.shortestCaption, let longest = stage.longestCaption else {
        return [front + "\(Self.grouped(Int(stage.steps * Double(stage.pairs)))) images, forward only"]
      }
      let vectors = stage.virtualTokens > 0 ? "\(stage.virtualTokens) vectors and " : ""
      return [
        front + "\(Self.grouped(Int(stage.steps))) steps of \(stage.ranks) x \(stage.pairs) pairs, "
          + "\(vectors)\(shortest) to \(longest) tokens a caption",
        more + "\(stage.optimizer ?? ""), "
          + (stage.recomputes ? "blocks computed again in backward" : "no recomputation"),
        more + "rows of a batch: \(Self.grouped(stage.imageRows)) of images, "
          + "\(Self.grouped(stage.textRows)) of texts",
        more + "\(Self.grouped(stage.parameters)) parameters, "
          + "\(Self.grouped(stage.trainedParameters)) of them moved by gradients",
      ]
    }
  }

  private func operations(_ stage: BenchPlanReport.Stage) -> [String] {
    guard stage.optimizer != nil, let counts = stage.counts.first else { return [] }
    let passes = CostModel.Pass.allCases.map(\.rawValue)
    func row(_ name: String, _ values: [Double]) -> String {
      Self.left("  " + name, 24)
        + (values + [values.reduce(0, +)]).map { Self.right(Self.number($0 / 1e12), 11) }.joined()
    }
    let parts = CostModel.Part.allCases.map(\.rawValue)
    let sums = passes.map { pass in parts.reduce(0) { $0 + (counts.operations[$1]?[pass] ?? 0) } }
    let moved = stage.counts.map { "\(Self.number($0.movedBytes / 1e9)) at \($0.precision)" }
    return [
      Self.left("\(stage.name), a step", 24)
        + (["forward", "again", "back, in", "back, W", "together"]).map { Self.right($0, 11) }.joined()
        + "  (10^12 operations)"
    ]
      + parts.map { part in row(part, passes.map { counts.operations[part]?[$0] ?? 0 }) }
      + [row("together", sums), "  bytes moved besides, 10^9: " + moved.joined(separator: ", ")]
  }

  // MARK: - Memory

  private var memory: [String] {
    let columns = report.stages.filter { $0.optimizer != nil }.flatMap { stage in
      stage.counts.map { (stage: stage.name, counts: $0) }
    }
    if columns.isEmpty { return [] }
    func row(_ name: String, _ value: (BenchPlanReport.Memory) -> Double) -> String {
      Self.left("  " + name, 38)
        + columns.map { Self.right(Self.fixed(value($0.counts.memory) / 1_073_741_824, 2), 14) }.joined()
    }
    let rows = [
      Self.left("memory of a process, GiB", 38) + columns.map { Self.right($0.stage, 14) }.joined(),
      Self.left("", 38) + columns.map { Self.right($0.counts.precision, 14) }.joined(),
      row("trained weights, float32", \.trainedWeights), row("frozen matrices, bf16", \.roundedWeights),
      row("frozen, float32 (pages of the file)", \.filePages), row("gradients", \.gradients),
      row("optimizer state", \.optimizer), row("kept for backward, image tower", \.imageKept),
      row("kept for backward, text tower", \.textKept), row("batch and workspace", \.workspace),
      row("together", \.total),
    ]
    guard let there = report.memoryBytes else { return rows }
    let tooLarge = columns.filter { $0.counts.memory.total > there }.map {
      "\($0.stage) at \($0.counts.precision)"
    }
    let size = Self.fixed(there / 1_073_741_824, 1)
    return rows + [
      tooLarge.isEmpty
        ? "  all of it fits \(size) GiB" : "  more than \(size) GiB: " + tooLarge.joined(separator: ", ")
    ]
  }

  // MARK: - Time

  private var times: [String] {
    let names = report.stages.enumerated().map { index, stage in "\(index + 1) " + stage.name }
    let head =
      Self.right("cores", 5) + "  " + Self.left("products", 14) + Self.right("GFLOP/s", 8)
      + Self.right("GB/s", 7) + Self.right("share", 7) + Self.right("s/step", 8) + Self.right("images/s", 9)
    let second = Self.left("", 21) + Self.right("a core", 8)
    let rows = report.machines.map { machine -> String in
      let isHalf = machine.precision != CostModel.Precision.float32.rawValue
      let rate = isHalf ? machine.halfRate : machine.floatRate
      let products = machine.precision + (isHalf && machine.amx ? " AMX" : "")
      return Self.right("\(machine.cores)", 5) + "  " + Self.left(products, 14)
        + Self.right(Self.figure(rate, 0), 8) + Self.right(Self.figure(machine.bandwidth, 0), 7)
        + Self.right(Self.figure(machine.efficiency, 2), 7) + Self.firstStage(machine.stages.first)
        + machine.stages.map { Self.right(Self.duration(hours: $0.hours), 8) }.joined()
        + Self.bound(machine.stages.first)
    }
    let titles = report.stages.indices.map { Self.right("\($0 + 1)", 8) }.joined()
    return ["time: " + names.joined(separator: ", "), head + titles + "  waits for", second] + rows
  }

  private static func firstStage(_ time: BenchPlanReport.Time?) -> String {
    guard let time else { return "" }
    return right(number(time.stepSeconds), 8) + right(number(time.imagesPerSecond), 9)
  }

  /// What the first stage waits for most, and how much of its time.
  private static func bound(_ time: BenchPlanReport.Time?) -> String {
    guard let time else { return "" }
    let most = max(time.products, time.attention, time.memory, time.network)
    return "  \(time.bound) \(fixed(100 * most / time.stepSeconds, 0)) %"
  }

  /// What the figures rest on.
  private var figures: [String] {
    guard let machine = report.machines.first else { return [] }
    let bases = Set(
      report.machines.flatMap { machine in
        [machine.floatRate, machine.halfRate, machine.bandwidth, machine.efficiency].map(\.basis)
      })
    var lines = ["what the figures rest on"]
    if bases.contains("measured") {
      lines += [
        "  m  measured here and now: square products, and two thirds of a copy larger than the caches,",
        "     which is what loops with ordinary stores reach of one that writes past them",
      ]
    }
    if bases.contains("given") { lines.append("  g  given by an option") }
    if bases.contains("assumed") { lines += Self.assumptions }
    lines.append(
      "  attention reaches \(Self.fixed(100 * machine.attentionEfficiency.value, 0)) % of the float32 rate "
        + "(\(machine.attentionEfficiency.basis)); 'share' is what products reach of theirs")
    if machine.processes > 1 {
      lines.append(
        "  \(machine.processes) processes, each on so many cores; "
          + "\(Self.number(machine.network.value)) GB/s between them (\(machine.network.basis))")
    }
    return lines
  }

  private static let assumptions = [
    "  a  assumed of a server's core: AVX-512 64 operations a cycle at 2.4 GHz, two thirds reached: 100;",
    "     bfloat16 dot products twice that: 200; AMX 1,024 at 2.0 GHz (Intel), a third reached: 700;",
    "     memory 4 GB/s a core: 8 channels of DDR5-4800 for 52 to 56 cores, three quarters reached;",
    "     a step's products reach 0.85 of such rates on few cores (the budget) and 0.7 on many",
  ]

  private var left: [String] {
    [
      "every piece of work takes the longer of operations / rate and bytes / bandwidth; nothing overlaps.",
      "not counted: decoding and augmentation (on other threads), validation, checkpoints, what the pool",
      "of memory blocks leaves between them, and what caching features",
      "of frozen towers or computing equal captions once would save.",
    ]
  }

  // MARK: - Cells

  static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - text.count)) + text
  }

  /// Three digits.
  static func number(_ value: Double) -> String {
    if value == 0 { return "0" }
    if !(abs(value) < 1e15) { return String(format: "%.3g", value) }
    if abs(value) >= 100 { return grouped(Int(value.rounded())) }
    return fixed(value, abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : abs(value) >= 0.01 ? 3 : 5)
  }

  static func fixed(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

  /// A figure and the letter of what it rests on.
  private static func figure(_ figure: BenchPlanReport.Figure, _ digits: Int) -> String {
    fixed(figure.value, digits) + " " + figure.basis.prefix(1)
  }

  /// Thousands apart.
  static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.enumerated().map { index, digit in
      index > 0 && (digits.count - index) % 3 == 0 ? ",\(digit)" : "\(digit)"
    }.joined()
  }

  /// Minutes below two hours, days from two days on.
  static func duration(hours: Double) -> String {
    if hours < 1.0 / 30 { return fixed(hours * 3600, 1) + " s" }
    if hours < 2 { return fixed(hours * 60, 1) + " min" }
    return hours < 48 ? fixed(hours, 1) + " h" : number(hours / 24) + " d"
  }
}
