import CleftData
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor

/// Times the encoders as an evaluation uses them: without the tape, without dropout.
public struct EvaluationBenchmark {
  /// What was found, before anything is made of it.
  public struct Measurements: Sendable {
    /// Pictures or captions of a batch.
    public var batchSize = 0
    /// Seconds of each batch spent waiting for pictures.
    public var dataWait: [Double] = []
    /// Seconds of each batch in the image encoder.
    public var image: [Double] = []
    /// Seconds of each batch in the text encoder.
    public var text: [Double] = []
    /// Tokens of the captions of all batches, vectors in front of them included, padding not.
    public var textTokens = 0
    /// Seconds in matrix products and in attention.
    public var work = (products: 0.0, attention: 0.0)
    /// Memory before the timed batches and after them.
    public var memory = (before: ProcessMemory.now, after: ProcessMemory.now)
    /// Blocks and bytes taken from the system for tensors up to the end of the warm-up, and behind it.
    public var tensorMemory = (before: (blocks: 0, bytes: 0), timed: (blocks: 0, bytes: 0))
    /// Products of the first timed batches by shape.
    public var products: [ProductShape: ProductLog.Entry] = [:]
    /// How many batches those are of.
    public var productBatches = 0

    /// Makes empty measurements.
    public init() {}
  }

  private let encoder: DualEncoder
  private let samples: [Sample]
  private let captions: [[Int]]
  private let config: TrainerConfig
  private let images: StepBenchmark.Images
  /// Batches before the timed ones.
  public var warmupBatches = 2
  /// Timed batches, at least 1.
  public var timedBatches = 10

  /// Joins a model and samples.
  ///
  /// - Parameters:
  ///   - captions: token ids of each sample.
  ///   - config: batch size, seed and decoding threads; nothing else of it counts.
  public init(
    encoder: DualEncoder, samples: [Sample], captions: [[Int]], config: TrainerConfig,
    images: StepBenchmark.Images
  ) {
    precondition(samples.count == captions.count && samples.count >= config.batchSize, "evaluation benchmark")
    (self.encoder, self.samples, self.captions) = (encoder, samples, captions)
    (self.config, self.images) = (config, images)
  }

  /// Encodes all batches, in the samples' order and again from the first.
  ///
  /// - Throws: what the loader throws.
  public func run(progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }) throws -> Measurements {
    let count = warmupBatches + timedBatches
    let plans = (0..<count).map { batch in
      BatchPlan(
        indices: (0..<config.batchSize).map { (batch * config.batchSize + $0) % samples.count }, epoch: 0)
    }
    let source = BatchSource(images, samples, config, augmentation: nil) {
      $0 < count ? plans[$0] : nil
    }
    defer { source.stop() }
    var found = Measurements()
    found.batchSize = config.batchSize
    found.productBatches = min(timedBatches, StepBenchmark.notedSteps)
    var work = Runtime.workSeconds
    for batch in 0..<count {
      if batch == warmupBatches {
        work = Runtime.workSeconds
        begin(&found)
      }
      try encode(plans[batch], source, isTimed: batch >= warmupBatches, &found)
      if batch == warmupBatches + found.productBatches - 1 { found.products = ProductLog.stop() }
      progress(batch + 1, count)
    }
    let (now, used) = (Runtime.workSeconds, Runtime.tensorMemory)
    found.work = (now.products - work.products, now.attention - work.attention)
    found.memory.after = .now
    found.tensorMemory.timed = (
      used.allocations - found.tensorMemory.before.blocks, used.bytes - found.tensorMemory.before.bytes
    )
    return found
  }

  private func begin(_ found: inout Measurements) {
    let used = Runtime.tensorMemory
    found.tensorMemory.before = (used.allocations, used.bytes)
    found.memory.before = .now
    ProductLog.start()
  }

  private func encode(
    _ plan: BatchPlan, _ source: BatchSource, isTimed: Bool, _ found: inout Measurements
  ) throws {
    let start = StepClock.now
    let pictures = try source.next().tensor
    let waited = StepClock.now
    _ = withoutGradients { encoder.image(pictures, .evaluation) }
    let seen = StepClock.now
    let texts = plan.indices.map { captions[$0] }
    // Equal captions are encoded as often as they come, so that the rate is one of captions.
    _ = withoutGradients {
      encoder.text(encoder.textBatch(texts, deduplicates: false), .evaluation)
    }
    let read = StepClock.now
    guard isTimed else { return }
    found.dataWait.append(waited - start)
    found.image.append(seen - waited)
    found.text.append(read - seen)
    let vectors = encoder.text.model.virtualTokens?.cell.shape[0] ?? 0
    found.textTokens += texts.reduce(0) { $0 + vectors + $1.count }
  }
}

/// What a benchmark of the encoders says.
///
/// JSON keys: those in `CodingKeys`.
public struct EvaluationBenchmarkReport: Encodable, Sendable {
  /// What was measured with what.
  public let setting: BenchmarkSetting
  /// Timed batches, and pictures and captions of each.
  public let batches, batchSize: Int
  /// Seconds of a batch: waiting for pictures, the image encoder, the text encoder.
  public let dataWaitSeconds, imageSeconds, textSeconds: Timing
  /// By the median batch: pictures a second of the encoder, and of an evaluation that also waits for them.
  public let imagesPerSecond, imagesPerSecondWithData: Double
  /// Captions and their real tokens a second of the encoder; vectors in front are among these, padding is not.
  public let captionsPerSecond, textTokensPerSecond: Double
  /// Where the time goes by kind of work, waiting for pictures included.
  public let shares: StepBenchmarkReport.Shares
  /// Matrix products of a batch of both encoders; the batch's seconds include waiting for pictures.
  public let products: ProductFigures
  /// Memory.
  public let memory: MemoryReport
  /// Seconds of building the model.
  public let buildSeconds: Double

  enum CodingKeys: String, CodingKey {
    case setting, batches, shares, products, memory
    case batchSize = "batch_size"
    case dataWaitSeconds = "data_wait_seconds"
    case imageSeconds = "image_seconds"
    case textSeconds = "text_seconds"
    case imagesPerSecond = "images_per_second"
    case imagesPerSecondWithData = "images_per_second_with_data"
    case captionsPerSecond = "captions_per_second"
    case textTokensPerSecond = "text_tokens_per_second"
    case buildSeconds = "build_seconds"
  }

  /// Makes a report of measurements.
  ///
  /// - Parameter rates: of the libraries for every shape among the products.
  public init(
    _ found: EvaluationBenchmark.Measurements, setting: BenchmarkSetting,
    rates: [ProductShape: ProductRates.Rate],
    memory: MemoryReport, buildSeconds: Double
  ) {
    (self.setting, self.memory, self.buildSeconds) = (setting, memory, buildSeconds)
    (batches, batchSize) = (found.image.count, found.batchSize)
    dataWaitSeconds = Timing(found.dataWait)
    imageSeconds = Timing(found.image)
    textSeconds = Timing(found.text)
    func perSecond(_ count: Double, _ seconds: Double) -> Double { seconds > 0 ? count / seconds : 0 }
    let size = Double(found.batchSize)
    imagesPerSecond = perSecond(size, imageSeconds.median)
    imagesPerSecondWithData = perSecond(size, Timing(zip(found.image, found.dataWait).map(+)).median)
    captionsPerSecond = perSecond(size, textSeconds.median)
    textTokensPerSecond = perSecond(
      Double(found.textTokens) / Double(max(1, found.text.count)), textSeconds.median)
    let batches = found.image.indices.map { found.dataWait[$0] + found.image[$0] + found.text[$0] }
    let whole = batches.reduce(0, +)
    let (products, attention) = (
      perSecond(found.work.products, whole), perSecond(found.work.attention, whole)
    )
    shares = StepBenchmarkReport.Shares(
      products: products, attention: attention, other: 1 - products - attention)
    self.products = ProductFigures(
      found.products, steps: found.productBatches, rates: rates,
      stepSeconds: Timing(batches).median)
  }
}
