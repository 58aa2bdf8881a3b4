import ArgumentParser

/// When a run ends early, and what happens to numbers that go wrong.
struct GuardOptions: ParsableArguments {
  @Option(
    help:
      "Longest time of this process, as 90m, 12h, 1d or HH:MM:SS; it then ends with a checkpoint and exit code 75."
  )
  var max_time: String?

  @Option(
    help: "A loss or gradient that is not finite: stop, or skip (leave the step out, count it, say so).")
  var on_nan = "stop"

  @Option(help: "A loss far above the newest ones: off, warn, skip or stop.")
  var on_spike = "warn"

  @Option(help: "How many standard deviations above the mean of the newest 100 losses is far.")
  var spike_z = 8.0

  @Flag(help: "Accepted as published: numbers that are not finite are found in every run.")
  var detect_anomaly = false
}
