import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftText
import CleftTraining

/// Prompt tuning by classes (`--prompt_ft --class_wise`), scored zero-shot with the same prompts.
struct ClassPromptPlan: TaskPlan {
  private let options: TrainOptions
  private let loaded: LoadedModel

  init(_ options: TrainOptions) throws {
    self.options = options
    try Self.requireSense(options)
    loaded = try ModelSource(
      options: options.model, quirks: options.quirks, seed: options.run.seed,
      totalSteps: options.optimizer.max_steps, captionLength: options.data.captionLength
    ).trainable()
  }

  var model: any Module { loaded.encoder }
  var description: any StoredModel { loaded.description }
  var tokenizerJSON: String? { loaded.tokenizer.tokenizerJSON }
  var notes: [String] { loaded.notes }
  var departures: [String] { loaded.departures(isTraining: true, options) }

  var wishes: DataWishes {
    let isMultiLabel = options.optimizer.loss.multi_label_loss
    var wishes = DataWishes(
      imageSizePixels: loaded.description.encoder.vision.imageSizePixels, isPromptTuning: true)
    wishes.needsCaptions = false
    wishes.needsLabels = !isMultiLabel && !options.quirks.isReference
    return wishes
  }

  func makeTask(_ splits: RunSplits) throws -> any TrainingTask {
    let names = splits.training.classNames
    if let validation = splits.validation, validation.classNames != names {
      throw TrainingError.badConfiguration(
        Problem(
          validation.table, found: "classes \(validation.classNames.joined(separator: ", "))",
          expected: names.joined(separator: ", ")))
    }
    return try ClassPromptTask(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      keepsLeadingSpace: options.data.entry.keepsLeadingSpace(options.quirks),
      objective: ClassObjective(
        classNames: names, isMultiLabel: options.optimizer.loss.multi_label_loss),
      training: splits.training, validation: splits.validation)
  }

  func test(
    _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog, in folder: String?
  ) throws -> [String: Double] {
    try ContrastivePlan.test(loaded, options, dataset, data, log, in: folder)
  }

  /// Settings that contradict each other.
  private static func requireSense(_ options: TrainOptions) throws(TrainingError) {
    guard options.model.prompt_ft else {
      throw .badConfiguration(
        Problem(
          "--class_wise", found: "without --prompt_ft",
          expected: "with it: it tunes vectors in front of prompts"))
    }
    let checks = TaskChecks(options: options)
    try checks.refuse(
      checks.negatives + [("--adalora_allocate", options.model.adapters.adalora_allocate)],
      in: "--class_wise", "it compares pictures with class prompts, not with each other's captions")
  }
}
