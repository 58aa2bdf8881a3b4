import CleftAdapters
import CleftData
import CleftFormats
import CleftMetrics
import CleftModels
import CleftNN
import CleftText
import CleftTraining

/// Contrastive pretraining and contrastive prompt tuning, scored zero-shot.
struct ContrastivePlan: TaskPlan {
  private let options: TrainOptions
  let loaded: LoadedModel
  private let allocator: RankAllocator?

  init(_ options: TrainOptions) throws { try self.init(options) { _ in } }

  /// The same with changes to how the model is built.
  init(_ options: TrainOptions, adjusting adjust: (inout ModelSource) -> Void) throws {
    self.options = options
    try Self.requireSense(options)
    var source = ModelSource(
      options: options.model, quirks: options.quirks, seed: options.run.seed,
      totalSteps: options.optimizer.max_steps, captionLength: options.data.captionLength,
      loss: Self.objective(options).kind)
    adjust(&source)
    loaded = try source.trainable()
    let adapter = loaded.description.adapter?.config as? AdaLoRAConfig
    allocator = adapter.flatMap { [loaded] config in
      config.allocates
        ? RankAllocator(loaded.encoder.text.model, config, totalSteps: options.optimizer.max_steps) : nil
    }
  }

  var model: any Module { loaded.encoder }
  var description: any StoredModel { loaded.description }
  var tokenizerJSON: String? { loaded.tokenizer.tokenizerJSON }
  var notes: [String] { loaded.notes }

  var wishes: DataWishes {
    DataWishes(
      imageSizePixels: loaded.description.encoder.vision.imageSizePixels,
      isPromptTuning: loaded.description.prompt != nil)
  }

  var departures: [String] { loaded.departures(isTraining: true, options) }

  func makeTask(_ splits: RunSplits) throws -> any TrainingTask {
    // What would fail after the last step fails before the first.
    if let test = splits.test { try EvalRun(options: options).evaluation(loaded).requireSense(test) }
    return task(splits.training, splits.validation, loaded.tokenizer)
  }

  /// Joins the model and samples whose captions a tokenizer reads.
  func task(
    _ training: ImageTextDataset, _ validation: ImageTextDataset?, _ tokenizer: any Tokenizer
  ) -> ContrastiveTask {
    ContrastiveTask(
      encoder: loaded.encoder, description: loaded.description, tokenizer: tokenizer,
      training: training, validation: validation, objective: Self.objective(options),
      allocator: allocator)
  }

  /// What is made smaller.
  private static func objective(_ options: TrainOptions) -> ContrastiveObjective {
    ContrastiveObjective(
      kind: options.optimizer.loss.loss == "siglip" ? .sigmoid : .softmax,
      matchesEqualCaptions: options.optimizer.loss.multi_positive || !options.quirks.has(.duplicateNegatives))
  }

  func wrapped(_ optimizer: any Optimizer) -> any Optimizer {
    allocator.map { RankAllocation(optimizer, $0) } ?? optimizer
  }

  func test(
    _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog, in folder: String?
  ) throws -> [String: Double] {
    try Self.test(loaded, options, dataset, data, log, in: folder)
  }

  /// Scores a pair of towers zero-shot.
  static func test(
    _ loaded: LoadedModel, _ options: TrainOptions, _ dataset: ImageTextDataset, _ data: RunData,
    _ log: RunLog, in folder: String?
  ) throws -> [String: Double] {
    let evaluation = EvalRun(options: options)
    let scorer = evaluation.evaluation(loaded)
    let run = EvaluationRun(
      options: options, data: data, log: log, scorer: scorer,
      subject: try evaluation.subject(loaded, path: nil, run: folder),
      maps: MapMaker(loaded, scorer.prompts))
    return try run(dataset, in: options.run.evaluation.no_report ? nil : folder).published(options, log)
  }

  /// Settings that contradict each other.
  private static func requireSense(_ options: TrainOptions) throws(TrainingError) {
    guard options.data.entry.canTrainContrastively else {
      throw .badConfiguration(
        Problem(
          "--dataset \(options.data.entry.name)", found: "contrastive training on it, which has no captions",
          expected: "--img_cls_ft (a classifier) or --prompt_ft --class_wise (class prompts)",
          hint: "--eval scores a trained model on it."))
    }
    let checks = TaskChecks(options: options)
    try checks.refuse(
      checks.classes, in: "contrastive training", "it is for --img_cls_ft or --prompt_ft --class_wise")
    if options.model.adapters.adalora_allocate {
      let (config, steps) = (AdaLoRAConfig(), options.optimizer.max_steps)
      guard options.model.adapters.peft == "adalora" else {
        throw .badConfiguration(
          Problem("--adalora_allocate", found: "without --peft adalora", expected: "with it"))
      }
      guard steps > config.warmupSteps + config.finalSteps else {
        throw .badConfiguration(
          Problem(
            "--max_steps", found: "\(steps) with --adalora_allocate",
            expected: "more than tinit \(config.warmupSteps) and tfinal \(config.finalSteps) together"))
      }
    }
    guard ["caption", "random"].contains(options.model.ctx_init) else {
      throw .badConfiguration(
        Problem("--ctx_init", found: "'\(options.model.ctx_init)'", expected: "caption or random"))
    }
  }
}

extension LoadedModel {
  /// Where the model departs from the published program, one line each.
  func departures(isTraining: Bool, _ options: TrainOptions) -> [String] {
    guard description.encoder.text.isCausal else { return [] }
    let undone = "(--pool_token first_pad undoes it)"
    switch description.encoder.pooledToken {
    case .firstPad: return []
    case .endOfText: return [QuirkCatalog.entry(.poolFirst).departure]
    case .lastWord: return ["captions are read at their last word \(undone)"]
    case .first: return ["captions are read at their first token \(undone)"]
    }
  }
}
