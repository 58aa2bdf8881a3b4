import CleftTensor

/// What a training step consists of.
public enum StepPart: String, CaseIterable, Codable, Sendable {
  /// Waiting for the loader, and turning its pictures into a tensor.
  case dataWait = "data_wait"
  /// The image tower.
  case imageForward = "image_forward"
  /// The text tower.
  case textForward = "text_forward"
  /// Both heads and the loss, forward and backward.
  case loss
  /// The text tower.
  case textBackward = "text_backward"
  /// The image tower.
  case imageBackward = "image_backward"
  /// The gradient's norm, and the optimizer's step.
  case optimizer
}

/// One measured step.
public struct StepMeasurement: Sendable {
  /// Seconds of the whole.
  public var seconds = 0.0
  /// Seconds of its parts; what is missing is 0.
  public var parts: [StepPart: Double] = [:]
  /// Seconds of it in matrix products and convolutions.
  public var productSeconds = 0.0
  /// Seconds of it in attention.
  public var attentionSeconds = 0.0
  /// Tokens of its captions, vectors in front of them included, padding not.
  public var textTokens = 0

  /// Makes an empty measurement.
  public init() {}

  /// Times a piece of work as a part.
  mutating func time<Result>(_ part: StepPart, _ body: () throws -> Result) rethrows -> Result {
    let start = StepClock.now
    defer { parts[part, default: 0] += StepClock.now - start }
    return try body()
  }
}

/// What a benchmark of training steps found, before anything is made of it.
public struct StepMeasurements: Sendable {
  /// The timed steps.
  public var steps: [StepMeasurement] = []
  /// Pictures of one step.
  public var imagesPerStep = 0
  /// Seconds of the very first step, warm-up or not.
  public var firstStepSeconds = 0.0
  /// Age of the process when it began, in seconds; nil where the system does not say.
  public var secondsToFirstStep: Double?
  /// Products of the first timed steps, by shape.
  public var products: [ProductShape: ProductLog.Entry] = [:]
  /// How many steps those are.
  public var productSteps = 0
  /// Memory before the timed steps and after them.
  public var memory = (before: ProcessMemory.now, after: ProcessMemory.now)
  /// Blocks and bytes taken from the system for tensors up to the end of the warm-up, and in the timed steps.
  public var tensorMemory = (before: (blocks: 0, bytes: 0), timed: (blocks: 0, bytes: 0))

  /// Makes empty measurements.
  public init() {}
}
