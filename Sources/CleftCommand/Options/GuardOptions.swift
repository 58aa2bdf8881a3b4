import ArgumentParser
import CleftTraining

/// When a run ends early, and what happens to numbers that go wrong.
struct GuardOptions: ParsableArguments {
  @Option(
    help: .value(
      "time",
      """
      Longest time of this process, as \(RunTime.forms); it then ends with a checkpoint and exit code 75. Default: \
      no limit.
      """), transform: RunTime.init(parsing:))
  var max_time: RunTime?

  @Option(
    help: .value(
      "action",
      "A loss, gradient or weight that is not finite: stop, or skip (leave the step out, count it, say so)."))
  var on_nan = NotFiniteAction.stop

  @Option(
    help: .value("action", "A loss far above the newest ones: off, warn, skip (leave the step out) or stop."))
  var on_spike = SpikeAction.warn

  @Option(
    help: .value(
      "deviations", "Standard deviations above the mean of the newest 100 losses that are far, above 0."))
  var spike_z = 8.0

  @Flag(help: "Does nothing: numbers that are not finite are found in every run, as under the published one.")
  var detect_anomaly = false

  /// Longest time of this process; nil for no limit.
  var maxSeconds: Double? { max_time?.seconds }

  /// What the loop does about numbers that go wrong.
  var config: StepGuard.Config {
    var config = StepGuard.Config()
    config.onNotFinite = on_nan.policy
    config.onSpike = on_spike.policy
    config.spikeDeviations = spike_z
    return config
  }

  mutating func validate() throws {
    try requireOption(spike_z.isFinite && spike_z > 0, "spike_z", spike_z, "a finite number above 0")
  }
}

/// What happens to a step with numbers that are not finite.
enum NotFiniteAction: String, ExpressibleByArgument, CaseIterable {
  case stop, skip

  /// The same to the loop.
  var policy: StepGuard.Policy { self == .skip ? .skip : .stop }
}

/// What happens to a step with a loss far above the newest ones.
enum SpikeAction: String, ExpressibleByArgument, CaseIterable {
  case off, warn, skip, stop

  /// The same to the loop.
  var policy: StepGuard.Policy {
    switch self {
    case .off: .off
    case .warn: .warn
    case .skip: .skip
    case .stop: .stop
    }
  }
}
