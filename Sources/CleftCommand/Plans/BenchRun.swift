import ArgumentParser
import CleftAdapters
import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// One measurement of a model from options to a report.
struct BenchRun {
  private let bench: BenchOptions
  private let options: TrainOptions
  private let named: [String: String]
  private let start = ProcessMemory.now

  /// Pictures on disk at most; samples share them.
  private static let pictureLimit = 64
  /// Steps or batches whose samples differ.
  private static let differingBatches = 8

  /// Turns the options of a benchmark into those of a training.
  ///
  /// - Parameter resolved: names and values of all options, given those of `BenchOptions`.
  init(
    _ bench: BenchOptions, _ model: ModelOptions, _ optimizer: OptimizerOptions, devices: Int,
    resolved: ([(name: String, value: String)]) -> [(name: String, value: String)]
  ) throws {
    self.bench = bench
    var data = try DataOptions.parse([])
    // Behind the longest caption there is a slot, and under prompt tuning an `X` in front.
    data.captions.caption_length = max(64, bench.caption_max + 2)
    data.pictures.num_workers = bench.num_workers
    options = TrainOptions(
      model: try Self.fitted(model, bench), data: data, optimizer: optimizer,
      run: try bench.runOptions(devices: devices))
    var named = Dictionary(
      resolved(resolvedOptions([bench])).map { ($0.name, Self.plain($0.value)) }, uniquingKeysWith: { $1 })
    named["devices"] = "\(devices)"
    named["model"] = options.model.model
    named["peft"] = options.model.adapters.peft ?? "none"
    self.named = named
    try Self.requireSense(options)
  }

  /// The model's options with a benchmark's defaults.
  private static func fitted(_ model: ModelOptions, _ bench: BenchOptions) throws(TrainingError)
    -> ModelOptions
  {
    var model = model
    let start = model.pretrained_model ?? model.pretrained_encoder
    let namesTower = model.img_encoder != nil || model.text_model != nil || model.baseline_vit
    if start == nil, model.model == nil, !namesTower, model.llm_type == "gpt" { model.model = "small" }
    if model.adapters.peft == "none" {
      model.adapters.peft = nil
    } else if model.adapters.peft == nil, model.adapters.adapter == nil, start == nil {
      model.adapters.peft = "lora"
    }
    for (name, depth) in [("--image_depth", bench.image_depth), ("--text_depth", bench.text_depth)] {
      guard let depth, model.model == nil else { continue }
      throw .badConfiguration(
        Problem(
          name, found: "\(depth) with weights of another depth",
          expected: "a model of --model, whose values are drawn"))
    }
    return model
  }

  /// A value without the quotes that YAML wants.
  private static func plain(_ value: String) -> String {
    value.count > 1 && value.hasPrefix("\"") && value.hasSuffix("\"")
      ? String(value.dropFirst().dropLast()) : value
  }

  private static func requireSense(_ options: TrainOptions) throws(TrainingError) {
    let loss = options.optimizer.loss
    let others = [("--img_cls_ft", loss.img_cls_ft), ("--class_wise", loss.class_wise)]
    for (name, isGiven) in others where isGiven {
      throw .badConfiguration(
        Problem(name, found: "in a benchmark", expected: "contrastive training, which is what is measured"))
    }
    try TrainRun(options: options).requireSense()
  }

  // MARK: - Measuring

  /// Times training steps.
  func step(warmupSteps: Int, timedSteps: Int) throws -> StepBenchmarkReport {
    let build = try build()
    let perStep =
      options.optimizer.batch_size * options.rankCount * options.optimizer.accumulate_grad_batches
    let data = try data(build, batch: perStep)
    let tokenizer = NumberTokenizer(build.plan.loaded.tokenizer)
    let run = TrainRun(options: options)
    let task = build.plan.task(data.dataset, nil, tokenizer)
    // Drawn pictures stand for a set that is augmented, and captions for one that comes up again and again.
    task.keepFeatures(
      FeatureKeeping(
        limitBytes: options.model.no_feature_cache ? 0 : FeatureKeeping.quarterOfMemory, augments: true,
        drawCount: Double(options.optimizer.max_steps) * Double(perStep)))
    for notice in task.frozen?.notices ?? [] { say(notice) }
    var benchmark = try StepBenchmark(
      task: task, optimizer: build.optimizer, config: run.trainerConfig(data.dataset), images: data.images)
    (benchmark.warmupSteps, benchmark.timedSteps) = (warmupSteps, timedSteps)
    let found = try benchmark.run { progress("step", $0, $1) }
    withExtendedLifetime(data.files) {}
    return StepBenchmarkReport(
      found, setting: setting(build.plan), rates: rates(found.products),
      memory: MemoryReport(start: start, built: build.memory, found.memory, found.tensorMemory),
      buildSeconds: build.seconds, pictureSeconds: data.seconds)
  }

  /// Times both encoders.
  func evaluation(
    batchSize: Int, warmupBatches: Int, timedBatches: Int
  ) throws -> EvaluationBenchmarkReport {
    let build = try build()
    let data = try data(build, batch: batchSize)
    let (loaded, tokenizer) = (build.plan.loaded, NumberTokenizer(build.plan.loaded.tokenizer))
    var config = try TrainRun(options: options).trainerConfig(data.dataset)
    config.batchSize = batchSize
    var benchmark = EvaluationBenchmark(
      encoder: loaded.encoder, samples: data.dataset.samples,
      captions: data.dataset.samples.map { loaded.description.tokens($0.caption ?? "", tokenizer) },
      config: config, images: data.images)
    (benchmark.warmupBatches, benchmark.timedBatches) = (warmupBatches, timedBatches)
    let found = try benchmark.run { progress("batch", $0, $1) }
    withExtendedLifetime(data.files) {}
    return EvaluationBenchmarkReport(
      found, setting: setting(build.plan), rates: rates(found.products),
      memory: MemoryReport(start: start, built: build.memory, found.memory, found.tensorMemory),
      buildSeconds: build.seconds)
  }

  /// What the libraries reach on the same shapes.
  private func rates(
    _ products: [ProductShape: ProductLog.Entry]
  ) -> [ProductShape: ProductRates.Rate] {
    if isatty(2) == 1 { say("measuring the library on \(products.count) shapes") }
    return ProductRates.measure(products.keys)
  }

  /// A model with its optimizer, and what making them took.
  private struct Build {
    let plan: ContrastivePlan
    let optimizer: any Optimizer
    let seconds: Double
    let memory: ProcessMemory
  }

  private func build() throws -> Build {
    options.configureRuntime()
    let began = ContinuousClock.now
    let plan = try ContrastivePlan(options) { source in
      source.drawsCaptions = true
      source.reshape = { try setDepths(&$0) }
    }
    let optimizer = try TrainRun(options: options).makeOptimizer(plan)
    for note in plan.notes { say("warning: \(note)") }
    return Build(
      plan: plan, optimizer: optimizer, seconds: (ContinuousClock.now - began) / .seconds(1), memory: .now)
  }

  private func setDepths(_ config: inout DualEncoderConfig) throws(TrainingError) {
    config.text.depth = bench.text_depth ?? config.text.depth
    guard let depth = bench.image_depth else { return }
    guard var vision = config.vision as? VisionTransformerConfig else {
      throw .badConfiguration(
        Problem(
          "--image_depth", found: "a \(type(of: config.vision).kind) image tower",
          expected: "a vision transformer"))
    }
    vision.depth = depth
    config.vision = vision
  }

  /// Samples, their pictures, and what drawing these took.
  private struct Samples {
    let dataset: ImageTextDataset
    let files: BenchmarkPictures?
    let images: StepBenchmark.Images
    let seconds: Double
  }

  private func data(_ build: Build, batch: Int) throws -> Samples {
    let began = ContinuousClock.now
    let config = build.plan.loaded.description.encoder
    let count = batch * Self.differingBatches
    let files =
      bench.pictures == .made
      ? try BenchmarkPictures(count: min(count, Self.pictureLimit), seed: options.run.seed) : nil
    let captions = BenchmarkCaptions(
      lengths: bench.caption_min...bench.caption_max, vocabularySize: config.text.vocabularySize,
      seed: options.run.seed)
    let size = config.vision.imageSizePixels
    return Samples(
      dataset: captions.dataset(
        sampleCount: count, paths: files?.paths ?? [], for: build.plan.loaded.tokenizer),
      files: files,
      images: files == nil
        ? .random(sizePixels: size)
        : .files(
          PictureStore(
            pipeline: options.pipeline(sizePixels: size), dicom: options.quirks.dicomRendering,
            memoryBytes: 0)), seconds: (ContinuousClock.now - began) / .seconds(1))
  }

  // MARK: - Saying

  private func setting(_ plan: ContrastivePlan) -> BenchmarkSetting {
    BenchmarkSetting(
      machine: MachineFigures(
        processor: Processor.name, processorsSeen: ProcessInfo.processInfo.processorCount,
        version: Cleft.configuration.version), options: named, model: plan.model)
  }

  private func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

  private func progress(_ what: String, _ done: Int, _ count: Int) {
    guard isatty(2) == 1 else { return }
    FileHandle.standardError.write(Data("\r\(what) \(done)/\(count)\(done == count ? "\n" : "")".utf8))
  }
}
