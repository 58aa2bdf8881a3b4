/// When a run writes checkpoints on its way.
///
/// Several may be asked for; each of them is heeded. The last step is saved in any case, by the loop.
public struct CheckpointSchedule: Sendable, Equatable {
  /// Steps between checkpoints; 0 for none by steps.
  public var everySteps: Int
  /// Minutes between checkpoints; 0 for none by time.
  public var everyMinutes: Double
  /// Epochs between checkpoints; 0 for none by epochs.
  public var everyEpochs: Int

  /// Makes a schedule; as it stands it asks for nothing.
  public init(everySteps: Int = 0, everyMinutes: Double = 0, everyEpochs: Int = 0) {
    self.everySteps = everySteps
    self.everyMinutes = everyMinutes
    self.everyEpochs = everyEpochs
  }

  /// Whether a step is to be saved.
  ///
  /// - Parameters:
  ///   - step: steps done.
  ///   - isEpochEnd: whether this step was the last one of an epoch.
  ///   - epoch: whole epochs done.
  ///   - secondsSinceSave: time since the newest checkpoint, or since the start.
  public func isDue(step: Int, isEpochEnd: Bool, epoch: Int, secondsSinceSave: Double) -> Bool {
    if everySteps > 0, step % everySteps == 0 { return true }
    if everyEpochs > 0, isEpochEnd, epoch % everyEpochs == 0 { return true }
    return everyMinutes > 0 && secondsSinceSave >= 60 * everyMinutes
  }
}
