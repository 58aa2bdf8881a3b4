import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining
import Foundation
import Testing

/// The arithmetic of benchmark reports.
@Suite struct BenchmarkReportTests {
  @Test func timingsAreMedianAndEnds() {
    #expect(Timing([3, 1, 2]).median == 2)
    let even = Timing([4, 1, 2, 3])
    #expect((even.median, even.min, even.max) == (2.5, 1, 4))
    #expect(Timing([]).median == 0)
  }

  private let large = ProductShape(m: 100, n: 50, k: 10, transposesA: false, transposesB: true, isHalf: false)
  private let small = ProductShape(m: 10, n: 10, k: 10, transposesA: true, transposesB: false, isHalf: true)

  /// Two steps: 4 large products in 2 s, 10 small ones in 1 s.
  private var entries: [ProductShape: ProductLog.Entry] {
    var (first, second) = (ProductLog.Entry(), ProductLog.Entry())
    (first.count, first.seconds, second.count, second.seconds) = (4, 2, 10, 1)
    return [large: first, small: second]
  }

  /// OpenBLAS is half as fast as the fastest, and has no bfloat16 products.
  private var rates: [ProductShape: ProductRates.Rate] {
    [large: .init(fastest: 400_000, openBLAS: 200_000), small: .init(fastest: 100_000, openBLAS: nil)]
  }

  @Test func productsAreHeldAgainstTheLibrary() {
    // 4 · 100,000 and 10 · 2,000 operations; the library takes 1 s and 0.2 s for them.
    let figures = ProductFigures(entries, steps: 2, rates: rates, stepSeconds: 2)
    #expect(figures.operationsPerStep == 210_000)
    #expect(figures.secondsPerStep == 1.5)
    #expect(abs(figures.librarySecondsPerStep - 0.6) < 1e-12)
    #expect(abs(figures.gflops - 0.00014) < 1e-12)
    #expect(abs(figures.stepGFLOPS - 0.000105) < 1e-12)
    #expect(abs(figures.libraryGFLOPS - 0.00035) < 1e-12)
    #expect(abs(figures.stepEfficiency - 0.3) < 1e-12)
    #expect(figures.shapes.map(\.m) == [100, 10])
    #expect(figures.shapes.map(\.countPerStep) == [2, 5])
    #expect(figures.shapes[0].libraryGFLOPS == 0.0004)
    #expect(abs((figures.openBLASGFLOPS ?? 0) - 0.0002) < 1e-12)
    #expect(figures.shapes[0].openBLASGFLOPS == 0.0002)
    #expect(figures.shapes[1].openBLASGFLOPS == nil)
    let halves = ProductFigures(
      entries.filter(\.key.isHalf), steps: 2, rates: rates, stepSeconds: 2)
    #expect(halves.openBLASGFLOPS == nil && halves.libraryGFLOPS > 0)
    #expect(figures.shapes[1].isHalf && figures.shapes[1].transposesA)
  }

  /// A step with a part of half a second each, and a quarter of a second in none.
  private func step(_ scale: Double) -> StepMeasurement {
    var step = StepMeasurement()
    for part in StepPart.allCases { step.parts[part] = 0.5 * scale }
    step.seconds = (0.5 * Double(StepPart.allCases.count) + 0.25) * scale
    (step.productSeconds, step.attentionSeconds, step.textTokens) = (2 * scale, scale, 30)
    return step
  }

  private final class Nothing: Module {
    @Parameter var weight: Tensor
    @Parameter var fixed: Tensor
    init() {
      _weight = Parameter("weight", [3, 4], .constant(1))
      _fixed = Parameter("fixed", [5], .constant(1))
      $fixed.isTrainable = false
    }
  }

  private func report(pictureSeconds: Double = 0.5) -> StepBenchmarkReport {
    var found = StepMeasurements()
    found.steps = [step(1), step(2), step(1)]
    (found.imagesPerStep, found.firstStepSeconds, found.secondsToFirstStep) = (15, 9, 4)
    (found.products, found.productSteps) = (entries, 2)
    found.tensorMemory = ((7, 700), (0, 0))
    let machine = MachineFigures(processor: "some", processorsSeen: 2, version: "1")
    return StepBenchmarkReport(
      found, setting: BenchmarkSetting(machine: machine, options: ["peft": "lora"], model: Nothing()),
      rates: rates,
      memory: MemoryReport(start: .now, built: .now, found.memory, found.tensorMemory), buildSeconds: 1.5,
      pictureSeconds: pictureSeconds)
  }

  @Test func anAgeThatCannotBeIsLeftOut() {
    #expect(report(pictureSeconds: 4).start.processSeconds == 0)
    #expect(report(pictureSeconds: 4.01).start.processSeconds == nil)
  }

  /// Two equal batches of 6 pairs: 1 s of waiting, 2 s of images, 1 s of texts.
  @Test func evaluationCountsTheWaitingInAllThatIsAShare() {
    var found = EvaluationBenchmark.Measurements()
    found.batchSize = 6
    (found.dataWait, found.image, found.text) = ([1, 1], [2, 2], [1, 1])
    found.work = (products: 4, attention: 2)
    (found.products, found.productBatches, found.textTokens) = (entries, 2, 60)
    let machine = MachineFigures(processor: "some", processorsSeen: 2, version: "1")
    let report = EvaluationBenchmarkReport(
      found, setting: BenchmarkSetting(machine: machine, options: [:], model: Nothing()), rates: rates,
      memory: MemoryReport(start: .now, built: .now, found.memory, found.tensorMemory), buildSeconds: 1)
    let shares = report.shares
    #expect([shares.products, shares.attention, shares.other] == [0.5, 0.25, 0.25])
    // The libraries take 0.6 s of a batch's 4 s.
    #expect(abs(report.products.stepEfficiency - 0.15) < 1e-12)
    #expect(abs(report.products.stepGFLOPS - 210_000 / 4e9) < 1e-12)
    #expect((report.imagesPerSecond, report.imagesPerSecondWithData) == (3, 2))
    #expect((report.captionsPerSecond, report.textTokensPerSecond) == (6, 30))
  }

  @Test func stepsAreSummedUp() {
    let report = report()
    #expect(report.stepSeconds.median == 3.75)
    #expect(report.stepSeconds.max == 7.5)
    #expect(report.partSeconds["text_backward"]?.median == 0.5)
    #expect(report.partSeconds["other"]?.median == 0.25)
    #expect(report.imagesPerSecond == 4)
    #expect(report.textTokensPerStep == 30)
    #expect(report.textTokensPerSecond == 8)
    let shares = report.shares
    #expect(abs(shares.products - 8 / 15) < 1e-12)
    #expect(abs(shares.attention - 4 / 15) < 1e-12)
    #expect(abs(shares.products + shares.attention + shares.other - 1) < 1e-12)
    #expect(report.products.stepEfficiency == 0.6 / 3.75)
    #expect(report.start.processSeconds == 3.5)
    #expect((report.memory.warmupBlocks, report.memory.timedBlocks) == (7, 0))
    #expect((report.setting.parameters, report.setting.trainedParameters) == (17, 12))
  }

  @Test func keysOfTheObjectStayAsTheyAre() throws {
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(jsonText(report()).utf8)) as? [String: Any])
    #expect(
      object.keys.sorted() == [
        "images_per_second", "images_per_step", "memory", "part_seconds", "products", "setting", "shares",
        "start", "step_seconds", "steps", "text_tokens_per_second", "text_tokens_per_step",
      ])
    func keys(_ name: String) -> [String] { (object[name] as? [String: Any])?.keys.sorted() ?? [] }
    #expect(
      keys("part_seconds") == [
        "data_wait", "image_backward", "image_forward", "loss", "optimizer", "other", "text_backward",
        "text_forward",
      ])
    #expect(keys("step_seconds") == ["max", "median", "min"])
    #expect(
      keys("products") == [
        "gflops", "library_gflops", "library_seconds_per_step", "noted_steps", "openblas_gflops",
        "operations_per_step", "seconds_per_step", "shapes", "step_efficiency", "step_gflops",
      ])
    #expect(
      keys("memory") == [
        "anonymous_bytes", "built_resident_bytes", "file_mapped_bytes", "peak_resident_bytes",
        "resident_growth_bytes", "start_resident_bytes", "system_allocations_timed",
        "system_allocations_warmup", "system_bytes_timed", "system_bytes_warmup",
      ])
    #expect(keys("setting") == ["machine", "options", "parameters", "trained_parameters"])
  }

  @Test func memoryIsReadFromTheSystemsLines() {
    let memory = ProcessMemory(
      status: "Name:\tcleft\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\nRssAnon:\t 768 kB\nRssFile:\t 256 kB\n")
    #expect(memory.peakResident == 2 << 20)
    #expect(memory.resident == 1 << 20)
    #expect(memory.anonymous == 768 << 10)
    #expect(memory.fileMapped == 256 << 10)
    let now = ProcessMemory.now
    #expect(now.resident > 1 << 20 && now.peakResident >= now.resident)
    #expect(ProcessMemory(status: "").resident == 0)
  }

  @Test func aProcessGrowsOlder() throws {
    let first = try #require(ProcessAge.seconds)
    #expect(first >= 0 && first < 24 * 3600)
    #expect(try #require(ProcessAge.seconds) >= first)
  }
}
