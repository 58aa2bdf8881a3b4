/// What the loop carries from step to step besides weights and optimizer, so that a resumed run equals one that was not
/// cut.
public struct RunProgress: Codable, Sendable, Equatable {
  /// Newest losses, oldest first, that the spike guard compares with.
  public var recentLosses: [Double] = []
  /// Steps left out because of numbers that were not finite, or of a spike.
  public var skippedSteps = 0
  /// Those of them that came directly one after another up to now.
  public var consecutiveSkips = 0
  /// The newest validation, by metric name; what a best checkpoint is judged by.
  public var validation: [String: Double] = [:]
  /// Step of that validation.
  public var validationStep = 0
  /// Whole epochs done.
  public var epochs = 0
  /// Seconds of training so far, over all processes of the run.
  public var seconds = 0.0

  /// Nothing done yet.
  public init() {}
}
