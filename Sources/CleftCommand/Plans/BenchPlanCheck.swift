import ArgumentParser
import CleftData
import CleftFormats
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// A measured training step beside what arithmetic says of it.
struct BenchPlanCheck: Encodable {
  /// A number predicted and measured.
  struct Pair: Encodable {
    let predicted, measured: Double
    let ratio: Double

    init(_ predicted: Double, _ measured: Double) {
      (self.predicted, self.measured) = (predicted, measured)
      ratio = measured > 0 ? predicted / measured : 0
    }
  }

  let file: String
  /// Model, batch and the like in a few words.
  let what: String
  let seconds: Pair
  /// Bytes: the most of the process less what it had when it began.
  let memory: Pair
  /// Operations of products outside attention.
  let operations: Pair
  let floatRate, halfRate, bandwidth, efficiency: BenchPlanReport.Figure
  let cores: Int

  enum CodingKeys: String, CodingKey {
    case file, what, seconds, memory, operations, cores, efficiency
    case floatRate = "gflops_per_core"
    case halfRate = "bf16_gflops_per_core"
    case bandwidth = "bandwidth_gbs"
  }

  /// What `cleft bench step --json` prints, as far as it is needed.
  private struct Measured: Decodable {
    struct Setting: Decodable {
      struct Machine: Decodable { let threads: Int }
      let machine: Machine
      let options: [String: String]
    }
    struct Timing: Decodable { let median: Double }
    struct Memory: Decodable {
      let start_resident_bytes, peak_resident_bytes: Double
    }
    struct Products: Decodable {
      let operations_per_step: Double
    }
    let setting: Setting
    let step_seconds: Timing
    let memory: Memory
    let products: Products
  }

  /// Reads a measurement, builds the same model and counts it.
  ///
  /// Rates are those of this machine, measured now, where no option gives them and it has as many threads.
  ///
  /// - Throws: `TrainingError.badData` if the file holds something else.
  init(_ file: String, rates: BenchPlanRates) throws {
    let measured = try Self.read(file)
    let options = BenchPlanCheck.Options(measured.setting.options)
    let threads = max(1, measured.setting.machine.threads)
    let (stage, precision) = try options.stage(file)
    let machine = rates.machine(
      cores: threads, hasAMX: BenchPlanRates.hasAMX,
      measured: rates.measured(cores: threads, roundsProducts: precision.roundsProducts))
    let model = try stage.counts(precision)
    let optimizer = stage.optimizer ?? .adamw
    let time = CostModelStepTime(model, on: machine, rankCount: stage.rankCount, optimizer: optimizer)
    let memory = CostModelMemory(
      model, imageSizePixels: stage.model.config.vision.imageSizePixels, ranksPerProcess: stage.rankCount,
      optimizer: optimizer)
    self.file = file
    what = options.summary
    seconds = Pair(time.seconds, measured.step_seconds.median)
    self.memory = Pair(
      memory.total, measured.memory.peak_resident_bytes - measured.memory.start_resident_bytes)
    let counted = model.work.reduce(0) {
      $0 + ($1.kind == .product || $1.kind == .halfProduct ? $1.operations : 0)
    }
    operations = Pair(Double(stage.rankCount) * counted, measured.products.operations_per_step)
    (floatRate, halfRate) = (.init(machine.floatRate), .init(machine.halfRate))
    (bandwidth, efficiency, cores) = (.init(machine.bandwidth), .init(machine.efficiency), threads)
  }

  private static func read(_ file: String) throws -> Measured {
    let data = try FileSystem.read(file)
    do { return try JSONDecoder().decode(Measured.self, from: data) } catch {
      let place: String =
        switch error {
        case DecodingError.keyNotFound(let key, let context):
          "no '" + (context.codingPath + [key]).map(\.stringValue).joined(separator: ".") + "'"
        default: "something else"
        }
      throw TrainingError.badData(
        Problem(file, found: place, expected: "what 'cleft bench step --json' prints"))
    }
  }

  // MARK: - Table

  /// A line a file.
  static func text(_ rows: [BenchPlanCheck]) -> String {
    func cells(_ pair: Pair, _ scale: Double) -> String {
      [pair.measured / scale, pair.predicted / scale].map { BenchPlanText.right(BenchPlanText.number($0), 8) }
        .joined() + BenchPlanText.right(BenchPlanText.fixed(pair.ratio, 2), 6)
    }
    func group(_ title: String) -> String { BenchPlanText.right(title, 22) }
    let width = 34
    let head = [
      BenchPlanText.left("", width) + group("seconds a step") + group("memory, GiB")
        + group("10^12 operations"),
      BenchPlanText.left("model, adapter, precision, batch", width)
        + Array(repeating: "measured  predic. ratio", count: 3).map { BenchPlanText.right($0, 22) }.joined(),
    ]
    let lines = rows.flatMap { row -> [String] in
      let numbers = cells(row.seconds, 1) + cells(row.memory, 1_073_741_824) + cells(row.operations, 1e12)
      if row.what.count < width { return [BenchPlanText.left(row.what, width) + numbers] }
      return [row.what, BenchPlanText.left("", width) + numbers]
    }
    return (head + lines + notes(rows)).joined(separator: "\n")
  }

  private static func notes(_ rows: [BenchPlanCheck]) -> [String] {
    guard let row = rows.first else { return [] }
    func figure(_ name: String, _ figure: BenchPlanReport.Figure) -> String {
      "\(name) \(BenchPlanText.number(figure.value)) (\(figure.basis))"
    }
    return [
      "",
      "rates of a core, GFLOP/s: " + figure("float32", row.floatRate) + ", " + figure("bf16", row.halfRate),
      "memory, GB/s: " + figure("all cores", row.bandwidth) + "; " + figure("products reach", row.efficiency)
        + " of the rates",
      "memory is the most of the process less what it had when it began.",
      "not counted: kept features, the second pass of --cached_negatives.",
    ]
  }
}

extension BenchPlanCheck {
  /// Options of a measured step.
  struct Options {
    private let values: [String: String]

    /// Takes names without dashes and plain values.
    init(_ values: [String: String]) { self.values = values }

    private func number(_ name: String, _ standard: Int) -> Int {
      values[name].flatMap { Int($0) } ?? standard
    }

    /// Model, batch and precision in a few words.
    var summary: String {
      let flags = ["grad_ckpt", "freeze_vit", "freeze_llm", "prompt_ft"].filter { values[$0] == "true" }
      let size = values["image_size"].map { ["\($0) px"] } ?? []
      let ranks = number("devices", 1) > 1 ? ["x \(number("devices", 1))"] : []
      let front = [values["model"] ?? "model", values["peft"] ?? "none", values["precision"] ?? "32"]
      return (front + ["\(number("batch_size", 72))"] + ranks + size + flags).joined(separator: " ")
    }

    /// The training that the options describe.
    func stage(_ file: String) throws -> (BenchPlan.Stage, CostModel.Precision) {
      guard let precision = precision else {
        throw TrainingError.badData(
          Problem("\(file): precision", found: "'\(values["precision"] ?? "")'", expected: "32 or bf16"))
      }
      try requireSense(file)
      let model: ModelOptions
      do { model = try ModelOptions.parse(arguments) } catch {
        throw TrainingError.badData(
          Problem(
            "\(file): options", found: ModelOptions.message(for: error), expected: "those of this program"))
      }
      let captions = number("caption_min", 14)...max(number("caption_min", 14), number("caption_max", 28))
      let optimizer: CostModelOptimizer =
        values["adafactor"] == "true" ? .adafactor : values["sgd"] == "true" ? .sgd : .adamw
      let encoder = try ParameterCounts(options: model, quirks: .init(isReference: false)).encoder(model) {
        $0.captionLength = max($0.captionLength, captions.upperBound + 1)
        $0.text.depth = number("text_depth", $0.text.depth)
        if var vision = $0.vision as? VisionTransformerConfig {
          vision.depth = number("image_depth", vision.depth)
          $0.vision = vision
        }
      }
      let stage = BenchPlan.Stage(
        name: "step", model: encoder, captions: captions, pairCount: number("batch_size", 72),
        rankCount: number("devices", 1) * number("accumulate_grad_batches", 1), steps: 1,
        optimizer: optimizer,
        recomputes: model.grad_ckpt)
      return (stage, precision)
    }

    /// Numbers that no measured step has.
    private func requireSense(_ file: String) throws(TrainingError) {
      let least = [
        ("batch_size", 2), ("caption_min", 1), ("caption_max", 1), ("devices", 1),
        ("accumulate_grad_batches", 1), ("text_depth", 1), ("image_depth", 1),
      ]
      for (name, least) in least {
        guard let value = values[name], let number = Int(value), !(least...1 << 20).contains(number) else {
          continue
        }
        throw .badData(
          Problem("\(file): \(name)", found: value, expected: "\(least) ... 1048576"))
      }
    }

    private var precision: CostModel.Precision? {
      switch values["precision"] ?? "32" {
      case "32", "32-true": .float32
      case "bf16-true": .halfTrue
      case "bf16-mixed", "bf16", "16", "16-mixed": .halfMixed
      default: nil
      }
    }

    /// The model's options among them, as a command line.
    private var arguments: [String] {
      declaredOptions(ModelOptions.self).flatMap { option -> [String] in
        guard let value = values[option.name], !(option.name == "peft" && value == "none") else { return [] }
        if option.takesValue { return ["--\(option.name)=\(value)"] }
        return value == "true" ? ["--\(option.name)"] : []
      }
    }
  }
}
