/// Learning rate of each step: linear warm-up, then the peak for good.
public struct ConstantWarmup: LearningRateSchedule, Equatable {
  /// Rate after the warm-up.
  public var peak: Double
  /// Rate of the first step.
  public var floor: Double
  /// Steps of rising rate.
  public var warmupSteps: Int

  /// Makes a schedule.
  public init(peak: Double, floor: Double, warmupSteps: Int) {
    self.peak = peak
    self.floor = floor
    self.warmupSteps = warmupSteps
  }

  /// Rate of the `step`-th update, counted from 0.
  ///
  /// The very first one always runs at `floor`.
  public func rate(at step: Int) -> Double {
    if step == 0 { return floor }
    return step < warmupSteps ? floor + (peak - floor) * Double(step) / Double(warmupSteps) : peak
  }
}
