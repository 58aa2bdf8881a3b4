import CleftFormats

/// Every course of the learning rate by name.
///
/// A new one is a file and one line here.
public enum ScheduleCatalog {
  /// One course.
  public struct Entry: Sendable {
    /// Value of `--schedule`.
    public let name: String
    /// One line for help.
    public let summary: String
    let makeSchedule:
      @Sendable (_ peak: Double, _ floor: Double, _ warmup: Int, _ cycle: Int)
        -> any LearningRateSchedule

    /// Makes a schedule.
    ///
    /// - Parameters:
    ///   - warmupSteps: 0 or more, fewer than `cycleSteps`.
    ///   - cycleSteps: after which the course starts again, where it does.
    public func make(
      peak: Double, floor: Double, warmupSteps: Int, cycleSteps: Int
    ) -> any LearningRateSchedule {
      precondition(
        warmupSteps >= 0 && warmupSteps < cycleSteps, "schedule: warm-up \(warmupSteps) of \(cycleSteps)")
      return makeSchedule(peak, floor, warmupSteps, cycleSteps)
    }
  }

  /// All courses; the first one is the default.
  public static let all = [
    Entry(name: "cosine", summary: "warm-up, then a cosine down to --min_lr; starts again, as published") {
      CosineWarmup(peak: $0, floor: $1, warmupSteps: $2, cycleSteps: $3)
    },
    Entry(name: "linear", summary: "warm-up, then a line down to --min_lr; starts again") {
      LinearWarmup(peak: $0, floor: $1, warmupSteps: $2, cycleSteps: $3)
    },
    Entry(name: "constant", summary: "warm-up, then --learning_rate for good") { peak, floor, warmup, _ in
      ConstantWarmup(peak: peak, floor: floor, warmupSteps: warmup)
    },
  ]

  /// The course of a name.
  ///
  /// - Parameter option: where the name was given.
  /// - Throws: `TrainingError.badConfiguration` listing the names there are.
  public static func named(_ name: String, option: String = "--schedule") throws(TrainingError) -> Entry {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    throw .badConfiguration(
      Problem(option, found: "'\(name)'", expected: "one of \(all.map(\.name).joined(separator: ", "))"))
  }
}
