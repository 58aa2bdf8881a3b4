import CleftAdapters
import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation
import Glibc

/// Small tasks with frozen towers and trained heads, and runs of them over pictures on the disk.
struct FrozenRun {
  static let (trainingCount, validationCount, batchSize) = (40, 8, 4)
  static let captions = ["edema", "atelectasis", "pleural effusion", "no finding", "fracture"]
  private static let classes = ["edema", "fracture", "no finding"]
  static let vision = VisionTransformerConfig(
    hiddenSize: 32, depth: 1, headCount: 2, positionGrid: 2, imageSizePixels: 28, initializerRange: 0.1)
  /// Plenty of room, no augmentation, many epochs.
  static let keeping = FeatureKeeping(limitBytes: 1 << 30, augments: false, drawCount: 1e6)

  /// Where the pictures lie.
  private(set) var folder = ""
  /// Nothing stays in memory, so that every picture read is decoded.
  private let pictures = PictureStore(pipeline: ImagePipeline(sizePixels: 28), memoryBytes: 0)

  /// Times that a picture was read.
  var decodings: Int { pictures.summary.decodings }

  /// A place for tasks whose pictures nobody reads.
  init() {}

  /// Calls `body` with a place that has pictures.
  static func withPictures(_ body: (FrozenRun) throws -> Void) throws {
    var run = FrozenRun()
    run.folder =
      FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)").path
    try FileSystem.makeFolder(run.folder)
    defer { FileSystem.remove(run.folder) }
    for index in 0..<trainingCount + validationCount {
      let pixels = (0..<784).map { UInt8(truncatingIfNeeded: $0 * (index + 3) + index * 31) }
      let image = GrayImage(width: 28, height: 28, pixels: pixels)
      try FileSystem.write(
        CleftImaging.ImageEncoder.png(image), to: "\(run.folder)/\(index).png", isDurable: false)
    }
    try body(run)
  }

  private func dataset(_ range: Range<Int>) -> ImageTextDataset {
    let samples = range.map { index in
      // The first validation caption is in no training sample.
      let caption = index == Self.trainingCount ? "cardiomegaly" : Self.captions[index % 5]
      return Sample(
        imagePath: "\(folder)/\(index).png", caption: caption, labels: [index % 3], origin: "table:\(index)")
    }
    return ImageTextDataset(
      name: "toy", table: "table", samples: samples, classNames: Self.classes,
      promptSets: [PromptSet(name: "default", prompts: Self.classes)])
  }

  private var training: ImageTextDataset { dataset(0..<Self.trainingCount) }
  private var validation: ImageTextDataset {
    dataset(Self.trainingCount..<Self.trainingCount + Self.validationCount)
  }

  // MARK: - Tasks

  private func pair(
    _ vision: any ImageTowerConfig, textDropout: Float, adapter: AdapterDescription? = nil,
    promptCount: Int = 0
  ) throws -> (encoder: DualEncoder, description: ModelDescription) {
    let config = DualEncoderConfig(
      vision: vision,
      text: GPTConfig(
        vocabularySize: 512, positionCount: 64, hiddenSize: 32, depth: 1, headCount: 2, dropout: textDropout,
        initializerRange: 0.1),
      embeddingSize: 16, head: .linear, pooling: .cls, captionLength: 24)
    let prompt = promptCount > 0 ? PromptTuningConfig(virtualTokenCount: promptCount) : nil
    let description = ModelDescription(encoder: config, adapter: adapter, prompt: prompt)
    let encoder = try description.makePair()
    encoder.seed(RandomKey(seed: 3))
    encoder.image.model.setTrainable(false)
    encoder.text.model.setTrainable(false)
    return (encoder, description)
  }

  /// Pairs whose towers are frozen and whose heads are trained.
  func contrastive(
    vision: any ImageTowerConfig = FrozenRun.vision, textDropout: Float = 0,
    adapter: AdapterDescription? = nil
  ) throws -> (task: ContrastiveTask, encoder: DualEncoder) {
    let (encoder, description) = try pair(vision, textDropout: textDropout, adapter: adapter)
    let task = ContrastiveTask(
      encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
      training: training, validation: validation)
    return (task, encoder)
  }

  private func task(_ kind: String) throws -> any TrainingTask {
    let objective = ClassObjective(classNames: Self.classes)
    switch kind {
    case "contrastive": return try contrastive().task
    case "classes":
      let model = ImageClassifier(
        ImageClassifierConfig(vision: Self.vision, pooling: .mean, classNames: Self.classes))
      model.seed(RandomKey(seed: 4))
      model.image.model.setTrainable(false)
      return ClassificationTask(
        classifier: model, objective: objective, training: training, validation: validation)
    default:
      let (encoder, description) = try pair(Self.vision, textDropout: 0, promptCount: 4)
      encoder.text.model.virtualTokens?.cell.isTrainable = true
      return try ClassPromptTask(
        encoder: encoder, description: description, tokenizer: DefaultVocabulary.tokenizer,
        keepsLeadingSpace: true, objective: objective, training: training, validation: validation)
    }
  }

  // MARK: - Runs

  /// How a step is made up.
  struct Step {
    var ranks = 1
    var accumulation = 1
    var negatives = SharedNegatives()
  }

  /// What a run gave, and what one that goes on needs.
  struct Outcome {
    var step = 0
    var losses: [Double] = []
    var validationLosses: [Double] = []
    var weights: [String: [Float]] = [:]
    var state: [String: Tensor] = [:]
    /// What the first record says of the run's clock.
    var seconds = 0.0
    /// What the newest step took.
    var stepSeconds = 0.0
  }

  /// A run of a kind of task, from the start or from where another one ended.
  func run(
    _ kind: String, keeping: FeatureKeeping = FrozenRun.keeping, _ shape: Step = Step(),
    from start: Outcome = Outcome(), to last: Int
  ) throws -> Outcome {
    let task = try task(kind)
    for named in task.model.cells() {
      if let values = start.weights[named.path] { named.cell.value = Tensor(named.cell.shape, values) }
    }
    task.keepFeatures(keeping)
    return try fit(task, shape, from: start, to: last)
  }

  /// A run of a task.
  func fit(
    _ task: any TrainingTask, _ shape: Step = Step(), from start: Outcome = Outcome(), to last: Int,
    limits: RunLimits = RunLimits(), trace: RunTrace? = nil
  ) throws -> Outcome {
    var config = TrainerConfig(
      batchSize: Self.batchSize, maxSteps: last,
      schedule: ConstantWarmup(peak: 0.05, floor: 0.05, warmupSteps: 0), seed: 7)
    (config.rankCount, config.accumulation) = (shape.ranks, shape.accumulation)
    (config.negatives, config.augments) = (shape.negatives, false)
    (config.logEverySteps, config.validateEverySteps, config.validatesAtEnd) = (1, 2, false)
    let optimizer = SGD(ParameterGroups.single(task.model, weightDecay: 0), momentum: 0.9)
    if start.step > 0 { try optimizer.restore(start.state) }
    let trainer = try Trainer(
      task: task, optimizer: optimizer, pictures: pictures, config: config, limits: limits)
    trainer.trace = trace
    let descriptor = open("/dev/null", O_WRONLY)
    defer { close(descriptor) }
    let (log, recorder) = (RunLog(descriptor: descriptor, environment: [:]), LossRecorder())
    log.add(recorder)
    try trainer.fit(from: start.step, progress: RunProgress(), log: log, keeper: nil)
    let weights = task.model.cells().map { ($0.path, $0.cell.value.array) }
    return Outcome(
      step: last, losses: recorder.losses, validationLosses: recorder.validationLosses,
      weights: Dictionary(uniqueKeysWithValues: weights),
      state: Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.key, $0.tensor.copied()) }),
      seconds: recorder.seconds ?? 0, stepSeconds: trainer.newestStepSeconds)
  }
}

/// Remembers losses.
private final class LossRecorder: RunRecorder {
  var (losses, validationLosses): ([Double], [Double]) = ([], [])
  /// Of the first record that has them.
  var seconds: Double?

  func record(step: Int, scalars: [String: Double]) throws {
    if let loss = scalars["train_loss"] { losses.append(loss) }
    if let loss = scalars["val_loss"] { validationLosses.append(loss) }
    seconds = seconds ?? scalars["seconds"]
  }
}

/// An image tower that counts the pictures it is given.
final class CountingImageTower: ImageTower {
  @Child("") var base: any ImageTower
  var count = 0
  /// How long a call waits.
  var pauseMicroseconds: UInt32 = 0

  init(_ base: any ImageTower) { _base.wrappedValue = base }

  var hiddenSize: Int { base.hiddenSize }
  var recomputesBlocks: Bool {
    get { base.recomputesBlocks }
    set { base.recomputesBlocks = newValue }
  }
  var adapterTargets: AdapterTargets { base.adapterTargets }

  func feature(_ images: Tensor, pooling: ImagePooling, _ context: ForwardContext) -> Tensor {
    count += images.shape[0]
    usleep(pauseMicroseconds)
    return base.feature(images, pooling: pooling, context)
  }
}

/// A text tower that counts the captions it is given.
final class CountingTextTower: TextTower {
  @Child("") var base: any TextTower
  var count = 0

  init(_ base: any TextTower) { _base.wrappedValue = base }

  var hiddenSize: Int { base.hiddenSize }
  var names: TextTowerNames { base.names }
  var tokenTable: Tensor { base.tokenTable }
  var prefixWidth: Int { base.prefixWidth }
  var virtualTokens: Embedding? {
    get { base.virtualTokens }
    set { base.virtualTokens = newValue }
  }
  var prefix: PrefixEncoder? {
    get { base.prefix }
    set { base.prefix = newValue }
  }
  var recomputesBlocks: Bool {
    get { base.recomputesBlocks }
    set { base.recomputesBlocks = newValue }
  }
  var detachesUnderRecompute: Bool {
    get { base.detachesUnderRecompute }
    set { base.detachesUnderRecompute = newValue }
  }

  func callAsFunction(_ batch: TextBatch, _ context: ForwardContext) -> Tensor {
    count += batch.pooledRows.count
    let tower = base
    return tower(batch, context)
  }
}
