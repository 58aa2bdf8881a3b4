/// The learning rate of each optimizer step.
///
/// A new one is a file here and a line in `ScheduleCatalog`.
public protocol LearningRateSchedule: Sendable {
  /// Rate of the `step`-th update, counted from 0.
  func rate(at step: Int) -> Double
}
