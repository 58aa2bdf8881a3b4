import CleftNN
import CleftTensor

/// What a measurement ran on.
///
/// JSON keys: those in `CodingKeys`.
public struct MachineFigures: Encodable, Sendable {
  /// The processor's name.
  public var processor: String
  /// Processors the system has, and those this process may use.
  public var processorsSeen, processorsUsable: Int
  /// Threads in use.
  public var threads: Int
  /// OpenBLAS's kernels and build.
  public var blasCore, blas: String
  /// oneDNN's version.
  public var oneDNN: String
  /// Whether bfloat16 products run as such.
  public var hasHalfProducts: Bool
  /// This program's version.
  public var version: String

  enum CodingKeys: String, CodingKey {
    case processor, threads, version
    case processorsSeen = "processors_seen"
    case processorsUsable = "processors_usable"
    case blasCore = "openblas_core"
    case blas = "openblas"
    case oneDNN = "onednn"
    case hasHalfProducts = "bf16_products"
  }

  /// Puts together what the caller knows of processor and program with what the libraries say.
  public init(processor: String, processorsSeen: Int, version: String) {
    (self.processor, self.processorsSeen, self.version) = (processor, processorsSeen, version)
    (processorsUsable, threads) = (Runtime.availableThreads, Runtime.threadCount)
    (blasCore, blas) = (Runtime.blasCore, Runtime.blasConfiguration)
    (oneDNN, hasHalfProducts) = (Runtime.oneDNNVersion, Runtime.hasHalfProducts)
  }
}

/// What a measurement ran with: machine, options, model.
///
/// JSON keys: `machine`, `options` (long names without dashes, values as text), `parameters`, `trained_parameters`.
public struct BenchmarkSetting: Encodable, Sendable {
  /// The machine.
  public var machine: MachineFigures
  /// Options in force by long name.
  public var options: [String: String]
  /// Parameters of the model, and those of them that are trained.
  public var parameters, trainedParameters: Int

  enum CodingKeys: String, CodingKey {
    case machine, options, parameters
    case trainedParameters = "trained_parameters"
  }

  /// Counts a model's parameters.
  public init(machine: MachineFigures, options: [String: String], model: any Module) {
    (self.machine, self.options) = (machine, options)
    let cells = model.parameters.map(\.cell)
    parameters = cells.reduce(0) { $0 + $1.shape.count }
    trainedParameters = cells.filter(\.isTrainable).reduce(0) { $0 + $1.shape.count }
  }
}

/// Memory over a measurement, in bytes.
///
/// JSON keys: those in `CodingKeys`.
public struct MemoryReport: Encodable, Sendable {
  /// Resident when the program had begun, and when the model was built.
  public let startResident, builtResident: Int
  /// The most resident up to the end of the timed part.
  public let peakResident: Int
  /// Resident then: the process's own pages, and pages of mapped files.
  public let anonymous, fileMapped: Int
  /// Resident after the timed part less resident before it.
  public let residentGrowth: Int
  /// Taken from the system for tensors up to the end of the warm-up: blocks and bytes.
  public let warmupBlocks, warmupBytes: Int
  /// The same in the timed part, where none should be needed.
  public let timedBlocks, timedBytes: Int

  enum CodingKeys: String, CodingKey {
    case startResident = "start_resident_bytes"
    case builtResident = "built_resident_bytes"
    case peakResident = "peak_resident_bytes"
    case anonymous = "anonymous_bytes"
    case fileMapped = "file_mapped_bytes"
    case residentGrowth = "resident_growth_bytes"
    case warmupBlocks = "system_allocations_warmup"
    case warmupBytes = "system_bytes_warmup"
    case timedBlocks = "system_allocations_timed"
    case timedBytes = "system_bytes_timed"
  }

  /// Puts readings together.
  ///
  /// - Parameters:
  ///   - resident: when the program had begun, when the model was built, before the timed part, and after it.
  ///   - tensors: blocks and bytes taken from the system up to the end of the warm-up, and in the timed part.
  public init(
    start: ProcessMemory, built: ProcessMemory, _ resident: (before: ProcessMemory, after: ProcessMemory),
    _ tensors: (before: (blocks: Int, bytes: Int), timed: (blocks: Int, bytes: Int))
  ) {
    (startResident, builtResident) = (start.resident, built.resident)
    let after = resident.after
    (peakResident, anonymous, fileMapped) = (after.peakResident, after.anonymous, after.fileMapped)
    residentGrowth = after.resident - resident.before.resident
    (warmupBlocks, warmupBytes) = tensors.before
    (timedBlocks, timedBytes) = tensors.timed
  }
}

/// What a benchmark of training steps says.
///
/// JSON keys: those in `CodingKeys`, and of the parts within `part_seconds` those of `StepPart` and `other`.
public struct StepBenchmarkReport: Encodable, Sendable {
  /// Shares of the timed steps, together 1.
  public struct Shares: Codable, Sendable, Equatable {
    /// Matrix products and convolutions.
    public let products: Double
    /// Attention.
    public let attention: Double
    /// All else.
    public let other: Double
  }

  /// How long it takes until steps are taken.
  public struct Start: Encodable, Sendable {
    /// Building the model and the optimizer.
    public let buildSeconds: Double
    /// From the process's beginning to its first step, made pictures not counted; nil where the system does not say,
    /// or says what cannot be.
    public let processSeconds: Double?
    /// The first step, which also makes what later ones use again.
    public let firstStepSeconds: Double

    enum CodingKeys: String, CodingKey {
      case buildSeconds = "build_seconds"
      case processSeconds = "process_to_first_step_seconds"
      case firstStepSeconds = "first_step_seconds"
    }
  }

  /// What was measured with what.
  public let setting: BenchmarkSetting
  /// Timed steps.
  public let steps: Int
  /// Seconds of a step.
  public let stepSeconds: Timing
  /// Seconds of its parts, and of what is in none.
  public let partSeconds: [String: Timing]
  /// Pictures of a step.
  public let imagesPerStep: Int
  /// Pictures a second at the median step.
  public let imagesPerSecond: Double
  /// Real tokens of a step, on average, and of a second; vectors in front of captions are among them, padding is not.
  public let textTokensPerStep, textTokensPerSecond: Double
  /// Where the time goes by kind of work.
  public let shares: Shares
  /// Matrix products.
  public let products: ProductFigures
  /// Memory.
  public let memory: MemoryReport
  /// The start.
  public let start: Start

  enum CodingKeys: String, CodingKey {
    case setting, steps, shares, products, memory, start
    case stepSeconds = "step_seconds"
    case partSeconds = "part_seconds"
    case imagesPerStep = "images_per_step"
    case imagesPerSecond = "images_per_second"
    case textTokensPerStep = "text_tokens_per_step"
    case textTokensPerSecond = "text_tokens_per_second"
  }

  /// Name, among the parts, of what is in none of them.
  public static let otherPart = "other"

  /// Makes a report of measurements.
  ///
  /// - Parameters:
  ///   - rates: of the libraries for every shape among the products.
  ///   - pictureSeconds: what drawing pictures took, which no training does.
  public init(
    _ found: StepMeasurements, setting: BenchmarkSetting, rates: [ProductShape: ProductRates.Rate],
    memory: MemoryReport, buildSeconds: Double, pictureSeconds: Double
  ) {
    self.setting = setting
    self.memory = memory
    steps = found.steps.count
    let whole = Timing(found.steps.map(\.seconds))
    stepSeconds = whole
    var parts = Dictionary(
      uniqueKeysWithValues: StepPart.allCases.map { part in
        (part.rawValue, Timing(found.steps.map { $0.parts[part] ?? 0 }))
      })
    parts[Self.otherPart] = Timing(found.steps.map { $0.seconds - $0.parts.values.reduce(0, +) })
    partSeconds = parts
    func perSecond(_ count: Double) -> Double { whole.median > 0 ? count / whole.median : 0 }
    imagesPerStep = found.imagesPerStep
    imagesPerSecond = perSecond(Double(found.imagesPerStep))
    let tokens = Double(found.steps.reduce(0) { $0 + $1.textTokens }) / Double(max(1, found.steps.count))
    (textTokensPerStep, textTokensPerSecond) = (tokens, perSecond(tokens))
    let seconds = found.steps.reduce(0) { $0 + $1.seconds }
    func share(_ part: (StepMeasurement) -> Double) -> Double {
      seconds > 0 ? found.steps.reduce(0) { $0 + part($1) } / seconds : 0
    }
    let (products, attention) = (share(\.productSeconds), share(\.attentionSeconds))
    shares = Shares(products: products, attention: attention, other: 1 - products - attention)
    self.products = ProductFigures(
      found.products, steps: found.productSteps, rates: rates, stepSeconds: whole.median)
    // An age that is shorter than a part of it tells nothing.
    let age = found.secondsToFirstStep.flatMap { $0 < pictureSeconds ? nil : $0 - pictureSeconds }
    start = Start(
      buildSeconds: buildSeconds, processSeconds: age,
      firstStepSeconds: found.firstStepSeconds)
  }
}
