import CleftData
import CleftModels
import CleftNN
import CleftTraining

/// What a run trains, how, and how the result is scored.
///
/// A new task is a file here and a line in `TaskCatalog`; the run around it knows no task by name.
protocol TaskPlan {
  /// Builds or reads the model that the options describe, ready to train.
  init(_ options: TrainOptions) throws
  /// The model.
  var model: any Module { get }
  /// How to build it again.
  var description: any StoredModel { get }
  /// Text of `tokenizer.json`; nil for a model without text.
  var tokenizerJSON: String? { get }
  /// What was left out of the files that the model comes from, one line each.
  var notes: [String] { get }
  /// What the model wants of pictures and texts.
  var wishes: DataWishes { get }
  /// Where the model departs from the published program, one line each.
  var departures: [String] { get }
  /// Joins model and samples.
  func makeTask(_ splits: RunSplits) throws -> any TrainingTask
  /// What the optimizer has to do besides its steps, for example to move ranks of an adapter.
  func wrapped(_ optimizer: any Optimizer) -> any Optimizer
  /// Scores the final weights on the test set; published names and values, in percent, for the log.
  ///
  /// - Parameter folder: the run folder, for the report; nil for no files.
  func test(
    _ dataset: ImageTextDataset, _ data: RunData, _ log: RunLog, in folder: String?
  ) throws -> [String: Double]
}

extension TaskPlan {
  /// Nothing but its steps.
  func wrapped(_ optimizer: any Optimizer) -> any Optimizer { optimizer }
  /// None.
  var departures: [String] { [] }
}

/// What a task's model wants of the data.
struct DataWishes {
  /// Side of pictures.
  var imageSizePixels: Int
  /// Whether captions stand behind prompt vectors.
  var isPromptTuning = false
  /// Whether rows without a caption teach nothing.
  var needsCaptions = true
  /// Whether training rows without any class teach nothing.
  var needsLabels = false
  /// Whether test rows without any class are left out wherever pictures are scored on one class.
  var leavesOutUnclassed = false
  /// Whether pictures may have several classes or none, so that test rows without one are scored too.
  var takesSeveralLabels = false
}

/// Every task.
///
/// One line here gives a task its place behind `cleft train`; the first one that the options ask for is taken.
enum TaskCatalog {
  /// One task.
  struct Entry {
    /// Name in messages.
    let name: String
    /// Whether the options ask for it.
    let isAskedFor: (TrainOptions) -> Bool
    /// Its plan.
    let plan: any TaskPlan.Type
  }

  /// All tasks; the last one is meant where nothing else is.
  static let all = [
    Entry(
      name: "classification", isAskedFor: { $0.optimizer.loss.img_cls_ft }, plan: ClassificationPlan.self),
    Entry(
      name: "class-wise prompt tuning", isAskedFor: { $0.optimizer.loss.class_wise },
      plan: ClassPromptPlan.self),
    Entry(name: "contrastive", isAskedFor: { _ in true }, plan: ContrastivePlan.self),
  ]

  /// The plan that the options ask for.
  static func plan(_ options: TrainOptions) throws -> any TaskPlan {
    guard let entry = all.first(where: { $0.isAskedFor(options) }) else {
      preconditionFailure("task catalog: nothing is meant by default")
    }
    return try entry.plan.init(options)
  }
}
