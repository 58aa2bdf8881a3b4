import CleftData
import CleftNN
import CleftTensor

/// What one batch gave.
public struct TaskResult {
  /// Scalar to make smaller.
  public let loss: Tensor
  /// Numbers to log, without the `train_` or `val_` in front.
  public let metrics: [String: Double]
  /// Scores and truth of each class, for precision–recall curves; empty where there are no classes.
  public var classScores: [ClassScores] = []

  /// Makes a result.
  public init(loss: Tensor, metrics: [String: Double], classScores: [ClassScores] = []) {
    self.loss = loss
    self.metrics = metrics
    self.classScores = classScores
  }
}

/// How sure a model is of one class on some samples, and whether they have it.
public struct ClassScores: Sendable, Equatable {
  /// The class.
  public var name: String
  /// One score a sample, higher where the class is more likely.
  public var scores: [Float]
  /// Whether each sample has the class.
  public var isPositive: [Bool]

  /// Makes the scores of a class.
  public init(name: String, scores: [Float], isPositive: [Bool]) {
    self.name = name
    self.scores = scores
    self.isPositive = isPositive
  }
}

/// Joins a dataset, a model and a loss, so that the training loop knows none of them.
public protocol TrainingTask: AnyObject {
  /// Name in messages.
  var name: String { get }
  /// The model trained.
  var model: any Module { get }
  /// Samples trained on.
  var trainingSamples: [Sample] { get }
  /// Samples watched; may be empty.
  var validationSamples: [Sample] { get }
  /// What a user should know of the samples before the numbers come, one line each.
  var notes: [String] { get }
  /// Tokens of text that a pass over some samples reads; 0 for a task without text.
  func tokenCount(_ split: Split, _ indices: [Int]) -> Int
  /// What a batch of some samples consists of besides its pictures, for replaying it elsewhere.
  func inputs(_ split: Split, _ indices: [Int]) -> TraceInputs
  /// Features of towers that make the same of a sample every time; nil where none are kept.
  var frozen: FrozenFeatures? { get }
  /// Keeps such features from here on as far as towers and run allow; what was kept before is dropped.
  func keepFeatures(_ keeping: FeatureKeeping)
  /// Loss of some samples of a split.
  ///
  /// - Shapes: `images` `[B, 3, H, W]`, `[0, 3, 0, 0]` where the features of all samples are kept.
  func loss(_ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext) -> TaskResult
}

extension TrainingTask {
  /// None.
  public var notes: [String] { [] }
  /// None.
  public func tokenCount(_ split: Split, _ indices: [Int]) -> Int { 0 }
  /// Nothing.
  public func inputs(_ split: Split, _ indices: [Int]) -> TraceInputs { TraceInputs() }
  /// None.
  public var frozen: FrozenFeatures? { nil }
  /// Has none to keep.
  public func keepFeatures(_ keeping: FeatureKeeping) {}
}

/// A task whose loss compares the samples of a batch with each other, so that a larger batch is another loss, not a
/// mean of losses.
///
/// Its forward pass comes in two halves. The towers turn each sample into features independently of the others; the loss
/// takes the features of all of them. That lets accumulated batches and ranks share their negatives in the memory of one
/// batch: the towers of every batch run once without the tape, the loss gives the gradient of each feature, and the towers
/// run again, batch by batch, with those gradients and the same random keys.
public protocol PooledTask: TrainingTask {
  /// What the towers make of some samples: tensors with one row a sample, before anything that mixes samples.
  func features(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> [Tensor]
  /// Loss of samples with their features.
  func loss(_ split: Split, _ indices: [Int], features: [Tensor], _ context: ForwardContext) -> TaskResult
}

extension PooledTask {
  /// Both halves at once.
  public func loss(
    _ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext
  ) -> TaskResult {
    loss(split, indices, features: features(split, indices, images, context), context)
  }
}
