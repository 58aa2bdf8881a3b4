import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// Parameters of one part of a model.
struct ParameterPart: Encodable, Equatable {
  /// What it is.
  let name: String
  /// All parameters.
  var all = 0
  /// Those that are trained.
  var trained = 0

  /// The parts of a model, in the order in which its parameters are listed.
  static func parts(of model: any Module) -> [ParameterPart] {
    var parts: [ParameterPart] = []
    for parameter in model.parameters {
      let name = name(of: parameter.path)
      let index = parts.firstIndex { $0.name == name } ?? parts.count
      if index == parts.count { parts.append(ParameterPart(name: name)) }
      parts[index].all += parameter.cell.shape.count
      if parameter.cell.isTrainable { parts[index].trained += parameter.cell.shape.count }
    }
    return parts
  }

  private static func name(of path: String) -> String {
    let isVector = path.contains("prompt_encoder.") || path.contains("prefix_encoder.")
    let isAdapter = path.contains("lora_") || path.contains("ia3_")
    let suffix = isVector ? " vectors" : isAdapter ? " adapter" : ""
    if path.hasPrefix(KeyMap.imagePrefix) { return "image tower" + suffix }
    if path.hasPrefix(KeyMap.textPrefix) { return "text tower" + suffix }
    if path.hasPrefix("img_encoder_q.") { return "image head" }
    if path.hasPrefix("text_encoder_q.") { return "text head" }
    return path.split(separator: ".").first.map { String($0).replacing("_", with: " ") } ?? path
  }
}

/// Memory of this process at one moment.
struct MemoryFigures: Encodable, Equatable {
  /// Bytes taken from the system for tensors; what is freed is kept for the next step, so this is the most so far.
  let tensorBytes: Int
  /// The most memory so far, pages of mapped files included; 0 where the system does not say.
  let peakResidentBytes: Int

  /// Those of now.
  static var now: MemoryFigures {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    return MemoryFigures(tensorBytes: Runtime.tensorMemory.bytes, peakResidentBytes: kibibytes << 10)
  }
}

/// What a run needs, as `--dry_run` measures it.
struct DryRunFigures: Encodable {
  /// Counts of the model.
  let parameters: [ParameterPart]
  /// Rows of each split that there is, by its name.
  let samples: [String: Int]
  /// Weights: trained ones as float32, frozen ones in the type of the products.
  let weightBytes: Int
  /// One gradient for each trained parameter.
  let gradientBytes: Int
  /// What the optimizer remembers.
  let optimizerBytes: Int
  /// What else tensors took at most: activations, batches and buffers of a step.
  let activationBytes: Int
  /// The most memory of the process.
  let peakBytes: Int
  /// One optimizer step, all ranks and accumulated batches of it, without validation and checkpoints.
  let stepSeconds: Double
  /// Steps of the whole run.
  let steps: Int
  /// The whole run at that pace.
  let runHours: Double
  /// What the run would keep of frozen towers, `none` for nothing; the steps measured keep nothing.
  let featuresKept: String
  /// Whether the steps of the run are shorter than those measured, for what is kept.
  private let isPaceOfOthers: Bool
  /// One checkpoint on disk.
  let checkpointBytes: Int

  enum CodingKeys: String, CodingKey {
    case parameters, samples, steps
    case weightBytes = "weight_bytes"
    case gradientBytes = "gradient_bytes"
    case optimizerBytes = "optimizer_bytes"
    case activationBytes = "activation_bytes"
    case peakBytes = "peak_resident_bytes"
    case stepSeconds = "step_seconds"
    case runHours = "run_hours"
    case featuresKept = "features_kept"
    case checkpointBytes = "checkpoint_bytes"
  }

  /// Puts together what was counted and measured.
  ///
  /// - Parameters:
  ///   - before: memory after the model was built and before the first step.
  ///   - after: memory after the last one.
  ///   - features: what the run would keep; nil for nothing.
  init(
    parts: [ParameterPart], samples: RunSplits, optimizerBytes: Int, before: MemoryFigures,
    after: MemoryFigures, stepSeconds: Double, steps: Int, features: FrozenFeatures?, checkpointBytes: Int
  ) {
    parameters = parts
    self.samples = Dictionary(
      uniqueKeysWithValues: samples.parts.map { ($0.split.rawValue, $0.dataset.samples.count) })
    let frozenBytes = Runtime.productType == .bfloat16 ? 2 : 4
    weightBytes = parts.reduce(0) { $0 + 4 * $1.trained + frozenBytes * ($1.all - $1.trained) }
    gradientBytes = 4 * parts.reduce(0) { $0 + $1.trained }
    self.optimizerBytes = optimizerBytes
    // Weights are converted when they are first used, which may be within a step.
    let laterWeights = max(0, weightBytes - before.tensorBytes)
    activationBytes = max(
      0, after.tensorBytes - before.tensorBytes - laterWeights - gradientBytes - optimizerBytes)
    peakBytes = after.peakResidentBytes
    self.stepSeconds = stepSeconds
    self.steps = steps
    runHours = stepSeconds * Double(steps) / 3600
    featuresKept = features?.kept ?? "none"
    isPaceOfOthers = (features?.keptForTraining ?? "none") != "none"
    self.checkpointBytes = checkpointBytes
  }

  /// One object.
  var json: String { jsonText(self, pretty: true) }

  /// Tables to read.
  var text: String {
    ([Self.row("parameters", "all", "trained")]
      + parameters.map { Self.row("  " + $0.name, Self.grouped($0.all), Self.grouped($0.trained)) }
      + [
        Self.row(
          "  together", Self.grouped(parameters.reduce(0) { $0 + $1.all }),
          Self.grouped(parameters.reduce(0) { $0 + $1.trained })),
        "", "memory",
      ] + memoryRows + ["", "data"]
      + Split.allCases.compactMap { split in
        samples[split.rawValue].map { Self.row("  \(split.rawValue) rows", Self.grouped($0)) }
      }
      + ["", "run"] + runRows).joined(separator: "\n")
  }

  private var runRows: [String] {
    let (pace, time) =
      isPaceOfOthers
      ? ("  seconds a step, with nothing kept", "  time of the steps, were nothing kept")
      : ("  seconds a step", "  time, without validation and checkpoints")
    return [
      Self.row("  features of frozen towers kept", featuresKept), Self.row(pace, Self.decimals(stepSeconds)),
      Self.row("  steps", Self.grouped(steps)), Self.row(time, Self.duration(hours: runHours)),
      Self.row("  one checkpoint", Self.size(checkpointBytes)),
    ]
  }

  private var memoryRows: [String] {
    let rows = [
      ("  weights", weightBytes), ("  gradients", gradientBytes), ("  optimizer state", optimizerBytes),
      ("  activations and buffers, most measured", activationBytes),
      ("  process, most measured", peakBytes),
    ]
    return rows.map { Self.row($0.0, Self.size($0.1)) }
  }

  private static func row(_ name: String, _ values: String...) -> String {
    values.reduce(name + String(repeating: " ", count: max(1, 44 - name.count))) { line, value in
      line + String(repeating: " ", count: max(1, 16 - value.count)) + value
    }
  }

  /// Thousands apart.
  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.enumerated().map { index, digit in
      index > 0 && (digits.count - index) % 3 == 0 ? ",\(digit)" : "\(digit)"
    }.joined()
  }

  private static func decimals(_ number: Double) -> String { String(format: "%.3g", number) }

  /// Bytes in the unit that leaves one to four digits in front of the point.
  static func size(_ bytes: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(bytes), 0)
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(bytes) B" : String(format: "%.1f ", value) + units[unit]
  }

  /// Minutes below two hours, days from two days on.
  static func duration(hours: Double) -> String {
    if hours < 2 { return String(format: "%.1f minutes", hours * 60) }
    return hours < 48 ? String(format: "%.1f hours", hours) : String(format: "%.1f days", hours / 24)
  }
}
