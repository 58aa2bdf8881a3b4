import CleftData
import CleftNN
import CleftTensor

/// What one batch gave.
public struct TaskResult {
  /// Scalar to make smaller.
  public let loss: Tensor
  /// Numbers to log, without the `train_` or `val_` in front.
  public let metrics: [String: Double]
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
  /// Loss of some samples of a split.
  func loss(_ split: Split, _ indices: [Int], _ images: Tensor, _ context: ForwardContext) -> TaskResult
}
