import ArgumentParser
import CleftFormats
import CleftTensor
import CleftTraining
import Foundation

/// `cleft bench plan`: how long training would take, by arithmetic.
struct BenchPlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Work out operations, memory and hours of a training on machines of several sizes.",
    discussion: """
      Without options of the model it is the published recipe: the published pair, LoRA, recomputation, 40,000 steps \
      of 4 ranks of 72 pairs, then 8,000 steps of prompt tuning, then CheXpert-5x200. With any it is one training, as \
      'cleft train' would build it; the model is made in no other sense, and no weights are needed.

      Rates of lines of no more cores than threads are measured first, which takes a second or two; those of bfloat16 \
      stand in the line with AMX where this processor has it, else in the one without. All others are assumed ones of \
      a server's cores unless given. --check holds the same arithmetic against measured steps.
      """)

  @OptionGroup var model: ModelOptions

  @Option(help: .value("pairs", "Pairs of a batch of one rank, 2 ... 1048576.")) var batch_size = 72
  @Option(help: .value("ranks", "Data-parallel ranks, 1 ... 65536, each with its own loss.")) var devices = 4
  @Option(help: .value("steps", "Optimizer steps, 1 ... 1000000000.")) var max_steps = 40_000
  @Flag(help: "SGD with momentum instead of AdamW.") var sgd = false
  @Flag(help: "Adafactor instead of AdamW; wins over --sgd.") var adafactor = false
  @Option(help: .value("tokens", "Shortest caption, at least 1 token.")) var caption_min = 14
  @Option(help: .value("tokens", "Longest caption; lengths between are equally frequent.")) var caption_max =
    28
  @Option(
    help: .value("types", "Of large products, separated by commas: 32, bf16-true, bf16-mixed."))
  var precision = "32,bf16-true"

  @Option(help: .value("counts", "Cores of a process, one table line each, separated by commas."))
  var cores = "2,32,64,128"
  @Option(help: .value("which", "bfloat16 lines with AMX, without or both: yes, no, both."))
  var amx = "both"
  @Option(
    help: .value("rate", "10⁹ float32 operations a second and core, 0.001 ... 1e9. Default: measured or 100.")
  )
  var gflops_per_core: Double?
  @Option(
    help: .value("rate", "The same of bfloat16 without AMX. Default: measured or 200."))
  var bf16_gflops_per_core: Double?
  @Option(help: .value("rate", "The same with AMX. Default: measured or 700."))
  var amx_gflops_per_core: Double?
  @Option(
    help: .value(
      "rate", "10⁹ bytes a second of memory, all cores. Default: measured, or 4 a core."))
  var bandwidth_gbs: Double?
  @Option(
    help: .value(
      "share",
      "What a step's products reach of those rates, 1e-6 ... 1. Default: 0.85 up to 4 cores, or 0.7."))
  var efficiency: Double?
  @Option(
    help: .value("share", "What attention reaches of the float32 rate, 1e-6 ... 1. Default: 0.5."))
  var attention_efficiency: Double?
  @Option(
    help: .value("processes", "Processes that share the ranks, a divisor of --devices; each has --cores."))
  var processes = 1
  @Option(help: .value("rate", "10⁹ bytes a second between processes. Default: 10."))
  var network_gbs: Double?
  @Option(help: .value("GiB", "Memory of a process, 0.001 ... 1000000000. Default: this machine's."))
  var memory_gib: Double?
  @Option(
    help: .value("threads", "Threads to measure with, at least 1. Default: the processors usable here."))
  var threads: Int?
  @Flag(help: "Measure nothing: assume what is not given.") var no_measure = false
  @Flag(help: "Hold the arithmetic against FILE…, what 'cleft bench step --json' printed.") var check = false
  @Argument(help: "Files for --check.") var files: [String] = []
  @Flag(help: "Print one JSON object instead of tables.") var json = false

  mutating func validate() throws {
    try requireOption(
      (2...1 << 20).contains(batch_size), "batch_size", batch_size, "2 ... 1048576; a pair needs negatives")
    try requireOption((1...65_536).contains(devices), "devices", devices, "1 ... 65536")
    try requireOption(
      (1...1_000_000_000).contains(max_steps), "max_steps", max_steps, "1 ... 1000000000")
    try requireOption(caption_min >= 1, "caption_min", caption_min, "at least 1")
    try requireOption(
      (caption_min...65_536).contains(caption_max), "caption_max", caption_max,
      "--caption_min \(caption_min) ... 65536")
    try requireOption(
      (1...devices).contains(processes) && devices % processes == 0, "processes", processes,
      "a divisor of --devices \(devices)")
    try requireOption("amx", amx, among: ["yes", "no", "both"])
    if let threads { try requireOption(threads >= 1, "threads", threads, "at least 1") }
    for (name, value) in [
      ("gflops_per_core", gflops_per_core), ("bf16_gflops_per_core", bf16_gflops_per_core),
      ("amx_gflops_per_core", amx_gflops_per_core), ("bandwidth_gbs", bandwidth_gbs),
      ("network_gbs", network_gbs), ("memory_gib", memory_gib),
    ] {
      if let value { try requireOption((1e-3...1e9).contains(value), name, value, "0.001 ... 1000000000") }
    }
    for (name, value) in [("efficiency", efficiency), ("attention_efficiency", attention_efficiency)] {
      if let value { try requireOption((1e-6...1).contains(value), name, value, "0.000001 ... 1") }
    }
    _ = try (coreCounts(), precisions())
    if check == files.isEmpty {
      throw ValidationError(
        check
          ? "--check is without files; expected what 'cleft bench step --json' printed."
          : "'\(files[0])' is without --check; expected options alone.")
    }
  }

  func run() throws {
    if let threads { Runtime.configure(threads: threads) }
    if check {
      let rows = try files.map { try BenchPlanCheck($0, rates: rates) }
      return print(json ? jsonText(rows, pretty: true) : BenchPlanCheck.text(rows))
    }
    let report = try plan().report()
    print(json ? jsonText(report, pretty: true) : BenchPlanText(report: report).text)
  }

  /// What is to be worked out.
  func plan() throws -> BenchPlan {
    let stages = BenchPlanStages(
      model: model, batchSize: batch_size, devices: devices, steps: max_steps,
      captions: caption_min...caption_max, optimizer: adafactor ? .adafactor : sgd ? .sgd : .adamw)
    let plain = try ModelOptions.parse([])
    let isPublished =
      zip(resolvedOptions([model]), resolvedOptions([plain])).allSatisfy { $0 == $1 }
      && resolvedOptions([model]).count == resolvedOptions([plain]).count && !sgd && !adafactor
    return BenchPlan(
      title: isPublished ? "the published recipe" : "training as described",
      stages: try isPublished ? stages.published() : stages.described(), precisions: try precisions(),
      lines: try lines(), memoryBytes: memory_gib.map { $0 * 1_073_741_824 } ?? Self.memoryHere)
  }

  // MARK: - Machines

  /// Rates that options give.
  var rates: BenchPlanRates {
    BenchPlanRates(
      float: gflops_per_core, half: bf16_gflops_per_core, amx: amx_gflops_per_core, bandwidth: bandwidth_gbs,
      efficiency: efficiency, attentionEfficiency: attention_efficiency, processes: processes,
      network: network_gbs, measures: !no_measure)
  }

  private func lines() throws -> [BenchPlan.Line] {
    let (rates, counts, precisions) = (rates, try coreCounts(), try precisions())
    let measured = rates.measured(
      cores: counts.min() ?? 1, roundsProducts: precisions.contains(where: \.roundsProducts))
    return counts.flatMap { cores in
      precisions.flatMap { precision -> [BenchPlan.Line] in
        let kinds = !precision.roundsProducts ? [false] : amx == "both" ? [false, true] : [amx == "yes"]
        return kinds.map { hasAMX in
          BenchPlan.Line(
            machine: rates.machine(cores: cores, hasAMX: hasAMX, measured: measured), precision: precision)
        }
      }
    }
  }

  private func coreCounts() throws -> [Int] {
    let counts = cores.split(separator: ",").map { Int($0.trimmingCharacters(in: .whitespaces)) }
    let known = counts.compactMap { $0 }.filter { (1...1 << 20).contains($0) }
    try requireOption(
      !counts.isEmpty && known.count == counts.count, "cores", "'\(cores)'", "numbers from 1, such as 2,32")
    return known
  }

  private func precisions() throws -> [CostModel.Precision] {
    let names = precision.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let known = names.compactMap(CostModel.Precision.init(rawValue:))
    try requireOption(
      !names.isEmpty && known.count == names.count, "precision", "'\(precision)'",
      CostModel.Precision.allCases.map(\.rawValue).joined(separator: ", ")
        + " or several, separated by commas")
    return known
  }

  /// Memory of this machine; nil where the system does not say.
  private static var memoryHere: Double? {
    guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemTotal:") }),
      let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
    else { return nil }
    return kibibytes * 1024
  }
}
