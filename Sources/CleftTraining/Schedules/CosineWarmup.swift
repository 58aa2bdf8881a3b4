import Foundation

/// Learning rate of each step: linear warm-up, then one cosine, then again from the start.
///
/// - Source: `CosineAnnealingWarmupRestarts` with cycle multiplier and gamma 1, as CLEFT uses it.
public struct CosineWarmup: LearningRateSchedule, Equatable {
  /// Rate at the top.
  public var peak: Double
  /// Rate at the start and the end.
  public var floor: Double
  /// Steps of rising rate.
  public var warmupSteps: Int
  /// Steps of one cycle, more than `warmupSteps`.
  public var cycleSteps: Int

  /// Makes a schedule.
  public init(peak: Double, floor: Double, warmupSteps: Int, cycleSteps: Int) {
    self.peak = peak
    self.floor = floor
    self.warmupSteps = warmupSteps
    self.cycleSteps = cycleSteps
  }

  /// Rate of the `step`-th update, counted from 0.
  ///
  /// The very first one always runs at `floor`.
  public func rate(at step: Int) -> Double {
    if step == 0 { return floor }
    let t = step % cycleSteps
    if t < warmupSteps { return floor + (peak - floor) * Double(t) / Double(warmupSteps) }
    let progress = Double(t - warmupSteps) / Double(cycleSteps - warmupSteps)
    return floor + (peak - floor) * (1 + cos(.pi * progress)) / 2
  }
}
