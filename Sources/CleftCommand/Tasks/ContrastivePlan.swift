import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftText
import CleftTraining

/// Contrastive pretraining and contrastive prompt tuning, scored zero-shot.
struct ContrastivePlan: TaskPlan {
  private let options: TrainOptions
  private let loaded: LoadedModel
  private let allocator: RankAllocator?

  init(_ options: TrainOptions) throws {
    self.options = options
    try Self.requireSense(options)
    loaded = try ModelSource(
      options: options.model, isReference: options.isReference, seed: options.run.seed,
      totalSteps: options.optimizer.max_steps, captionLength: options.data.captionLength
    ).trainable()
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
    ContrastiveTask(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      training: splits.training, validation: splits.validation, allocator: allocator)
  }

  func wrapped(_ optimizer: any Optimizer) -> any Optimizer {
    allocator.map { RankAllocation(optimizer, $0) } ?? optimizer
  }

  func test(_ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog) throws -> [String: Double] {
    let scores = try EvalRun(options: options).report(loaded, dataset, data, log).scores[0]
    var values: [String: Double] = [:]
    values["test_acc1"] = scores.accuracy.map { 100 * $0 }
    values["test_auc"] = scores.auc.map { 100 * $0 }
    return values
  }

  /// Settings that contradict each other.
  private static func requireSense(_ options: TrainOptions) throws(TrainingError) {
    guard options.data.entry.canTrainContrastively else {
      throw .badConfiguration(
        Problem(
          "--dataset \(options.data.entry.name)", found: "contrastive training on it",
          expected: "--eval or --img_cls_ft",
          hint: "It has no captions to train with."))
    }
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
    var lines: [String] = []
    if description.encoder.pooledToken != .firstPad {
      lines.append(
        "a caption without a free column is read at its last word, not at position 0" + DatasetCatalog.undone)
    }
    return lines
  }
}
