import CleftData
import CleftModels
import CleftNN
import CleftTensor

/// Trains an image tower with a classifier on the dataset's classes; no text is read (`--img_cls_ft`).
///
/// - Source: Du et al. 2024, arXiv 2407.21011, §3 (linear probing and fine-tuning).
public final class ClassificationTask: TrainingTask {
  /// Name in messages.
  public let name = "classification"
  /// Samples trained on.
  public let trainingSamples: [Sample]
  /// Samples watched.
  public let validationSamples: [Sample]
  /// Features of the frozen tower; nil where none are kept.
  public private(set) var frozen: FrozenFeatures?
  private let classifier: ImageClassifier
  private let objective: ClassObjective

  /// Makes a task.
  public init(
    classifier: ImageClassifier, objective: ClassObjective, training: ImageTextDataset,
    validation: ImageTextDataset?
  ) {
    self.classifier = classifier
    self.objective = objective
    trainingSamples = training.samples
    validationSamples = validation?.samples ?? []
  }

  /// The model trained.
  public var model: any Module { classifier }

  /// What there is to know of the labels.
  public var notes: [String] { objective.notes(trainingSamples) }

  /// The labels.
  public func inputs(_ split: Split, _ indices: [Int]) -> TraceInputs {
    objective.inputs(samples(split, indices))
  }

  /// Keeps features of the tower if it is frozen.
  public func keepFeatures(_ keeping: FeatureKeeping) {
    let features = FrozenFeatures(keeping)
    features.keepPictures(
      training: trainingSamples.count, validation: validationSamples.count, classifier.image,
      FrozenTower(classifier.image, classifier.config.vision))
    frozen = features
  }

  /// Loss and accuracy of some samples.
  public func loss(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> TaskResult {
    let features = imageFeatures(split, indices, context) {
      classifier.image.feature(images, context.split("image"))
    }
    return objective.result(
      classifier.scores(ofFeatures: features, context), samples(split, indices))
  }

  private func samples(_ split: Split, _ indices: [Int]) -> [Sample] {
    let all = split == .train ? trainingSamples : validationSamples
    return indices.map { all[$0] }
  }
}
