import CleftImaging

/// Takes a run's numbers and pictures to a file: `metrics.jsonl`, TensorBoard's events.
///
/// `RunLog` hands everything to each recorder; one that has no place for something leaves it.
public protocol RunRecorder: AnyObject {
  /// Numbers of a step, by the published names.
  func record(step: Int, scalars: [String: Double]) throws
  /// The distribution of some values, for example of an adapter's matrix.
  func record(step: Int, histogram name: String, values: [Float]) throws
  /// Pictures as the model sees them.
  func record(step: Int, images name: String, _ pictures: [GrayImage]) throws
  /// Scores of a class, for its precision–recall curve.
  func record(step: Int, curve name: String, _ scores: ClassScores) throws
  /// Gives what was recorded to the system.
  func flush() throws
}

extension RunRecorder {
  /// Leaves it.
  public func record(step: Int, histogram name: String, values: [Float]) throws {}
  /// Leaves it.
  public func record(step: Int, images name: String, _ pictures: [GrayImage]) throws {}
  /// Leaves it.
  public func record(step: Int, curve name: String, _ scores: ClassScores) throws {}
  /// Nothing is held back.
  public func flush() throws {}
}
