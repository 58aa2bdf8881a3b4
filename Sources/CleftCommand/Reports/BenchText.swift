import CleftTraining
import Foundation

/// Tables of what benchmarks found, for people; at most 100 columns.
enum BenchText {
  /// Of training steps.
  static func text(_ report: StepBenchmarkReport) -> String {
    let step = report.stepSeconds.median
    let parts = (StepPart.allCases.map(\.rawValue) + [StepBenchmarkReport.otherPart]).compactMap { name in
      report.partSeconds[name].map { timing("  " + name.replacing("_", with: " "), $0, of: step) }
    }
    let head = [
      "training step: \(summary(report.setting, ["peft", "precision", "batch_size"])), \(report.steps) timed",
      "",
      row("seconds", "median", "min", "max", "of step"), timing("step", report.stepSeconds, of: step),
    ]
    let rates = [
      "", row("a second", ""), row("  pictures", number(report.imagesPerSecond)),
      row("  text tokens, \(number(report.textTokensPerStep)) a step", number(report.textTokensPerSecond)),
    ]
    let start = [
      "", row("start", "seconds"), row("  model and optimizer", number(report.start.buildSeconds)),
      row("  process to first step", report.start.processSeconds.map(number) ?? "unknown"),
      row("  first step", number(report.start.firstStepSeconds)),
    ]
    return
      (head + parts + rates + work(report.shares) + products(report.products, "step")
      + memory(report.memory, "timed steps") + start + machine(report.setting)).joined(separator: "\n")
  }

  /// Of both encoders.
  static func text(_ report: EvaluationBenchmarkReport) -> String {
    let batch = report.imageSeconds.median + report.textSeconds.median + report.dataWaitSeconds.median
    let head = [
      "evaluation: \(summary(report.setting, ["peft", "precision", "batch_size"])), "
        + "\(report.batches) batches timed", "", row("seconds a batch", "median", "min", "max", "of batch"),
      timing("  waiting for pictures", report.dataWaitSeconds, of: batch),
      timing("  image encoder", report.imageSeconds, of: batch),
      timing("  text encoder", report.textSeconds, of: batch), "", row("a second", ""),
      row("  pictures", number(report.imagesPerSecond)),
      row("  pictures, waiting for them included", number(report.imagesPerSecondWithData)),
      row("  captions", number(report.captionsPerSecond)),
      row("  text tokens", number(report.textTokensPerSecond)),
    ]
    return
      (head + work(report.shares) + products(report.products, "batch")
      + memory(report.memory, "timed batches") + machine(report.setting)).joined(separator: "\n")
  }

  // MARK: - Sections

  private static func summary(_ setting: BenchmarkSetting, _ names: [String]) -> String {
    let model = setting.options["model"] ?? "named weights"
    return ([model] + names.compactMap { name in setting.options[name].map { "\(name) \($0)" } })
      .joined(separator: ", ")
  }

  private static func work(_ shares: StepBenchmarkReport.Shares) -> [String] {
    [
      "", row("kind of work", "share"), row("  matrix products and convolutions", percent(shares.products)),
      row("  attention", percent(shares.attention)), row("  all else", percent(shares.other)),
    ]
  }

  private static func products(_ products: ProductFigures, _ unit: String) -> [String] {
    [
      "", row("matrix products, attention's not counted", "GFLOP/s"),
      row("  while multiplying", number(products.gflops)),
      row("  over the whole \(unit)", number(products.stepGFLOPS)),
      row("  the faster library alone, same shapes", number(products.libraryGFLOPS)),
      row("  OpenBLAS alone, float32 shapes", products.openBLASGFLOPS.map(number) ?? "none"),
      row("  \(unit) efficiency", percent(products.stepEfficiency)),
    ]
  }

  private static func memory(_ memory: MemoryReport, _ timed: String) -> [String] {
    [
      "", row("memory", ""), row("  resident at the start", size(memory.startResident)),
      row("  with the model built", size(memory.builtResident)), row("  peak", size(memory.peakResident)),
      row("  at the end: own pages", size(memory.anonymous)),
      row("  at the end: pages of files", size(memory.fileMapped)),
      row("  growth over the \(timed)", signed(memory.residentGrowth)),
      row("  blocks from the system, warm-up", "\(memory.warmupBlocks)", size(memory.warmupBytes)),
      row("  blocks from the system, \(timed)", "\(memory.timedBlocks)", size(memory.timedBytes)),
    ]
  }

  private static func machine(_ setting: BenchmarkSetting) -> [String] {
    let machine = setting.machine
    return [
      "", "machine",
      "  \(machine.processor), \(machine.processorsUsable) of \(machine.processorsSeen) processors usable, "
        + "\(machine.threads) thread(s)",
      "  cleft \(machine.version), OpenBLAS for \(machine.blasCore), oneDNN \(machine.oneDNN)"
        + (machine.hasHalfProducts ? "" : ", no bfloat16 products"),
      "  \(setting.parameters) parameters, \(setting.trainedParameters) of them trained",
    ]
  }

  // MARK: - Lines

  private static func row(_ name: String, _ values: String...) -> String {
    values.reduce(name + String(repeating: " ", count: max(1, 44 - name.count))) { line, value in
      line + String(repeating: " ", count: max(1, 12 - value.count)) + value
    }
  }

  private static func timing(_ name: String, _ timing: Timing, of whole: Double) -> String {
    row(
      name, seconds(timing.median), seconds(timing.min), seconds(timing.max),
      percent(whole > 0 ? timing.median / whole : 0))
  }

  private static func seconds(_ seconds: Double) -> String { String(format: "%.4f", seconds) }
  private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
  private static func number(_ number: Double) -> String {
    String(format: number >= 1000 ? "%.0f" : number >= 10 ? "%.1f" : "%.3f", number)
  }
  private static func size(_ bytes: Int) -> String { DryRunFigures.size(bytes) }
  private static func signed(_ bytes: Int) -> String { bytes < 0 ? "-" + size(-bytes) : size(bytes) }
}
