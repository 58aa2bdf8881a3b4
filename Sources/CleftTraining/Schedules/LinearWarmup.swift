/// Learning rate of each step: linear warm-up, then a straight line down, then again from the start.
///
/// The same course as `CosineWarmup` with a line in the place of the cosine.
public struct LinearWarmup: LearningRateSchedule, Equatable {
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
    return floor + (peak - floor) * Double(cycleSteps - t) / Double(cycleSteps - warmupSteps)
  }
}
