/// When a run was at which step: in hours of training, and in epochs.
///
/// Hours come from the `seconds` of the metrics' lines; without them from `seconds_per_step`, or from `images_per_s` and
/// the images of a step, scaled to the seconds of the newest checkpoint if it knows them.
struct RunClock {
  /// Steps and hours of training up to them, both ascending.
  private let knots: [(step: Double, hours: Double)]
  /// Steps of an epoch; nil where the metrics do not show an epoch's end.
  let stepsPerEpoch: Double?

  /// Reads time and epochs from a run's numbers.
  init(_ metrics: RunMetrics, options: [(name: String, value: String)], saved: SavedState?) {
    let stated = metrics.series["seconds"].map { zip($0.steps, $0.values).map { ($0, $1 / 3600) } }
    knots = stated ?? Self.estimate(metrics, options, saved)
    stepsPerEpoch = metrics.series["epoch"].flatMap(Self.stepsPerEpoch)
  }

  /// Hours of training in all; nil if nothing says how long it took.
  var hours: Double? { knots.last?.hours }

  /// Hours of training up to a step, between known times by proportion.
  func hours(at step: Double) -> Double? {
    guard let last = knots.last else { return nil }
    if step >= last.step { return last.step > 0 ? last.hours * step / last.step : last.hours }
    var (low, high) = (0, knots.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if knots[middle].step < step { low = middle + 1 } else { high = middle }
    }
    let (after, before) = (knots[low], low == 0 ? (step: 0, hours: 0) : knots[low - 1])
    let length = after.step - before.step
    return length <= 0
      ? after.hours : before.hours + (after.hours - before.hours) * (step - before.step) / length
  }

  private static func estimate(
    _ metrics: RunMetrics, _ options: [(name: String, value: String)], _ saved: SavedState?
  ) -> [(step: Double, hours: Double)] {
    var knots: [(step: Double, hours: Double)] = []
    var last = (step: 0.0, hours: 0.0)
    for (step, seconds) in stepSeconds(metrics, options)
    where step > last.step && seconds > 0 && seconds.isFinite {
      last = (step, last.hours + (step - last.step) * seconds / 3600)
      knots.append(last)
    }
    guard let saved, let seconds = saved.seconds, saved.step > 0 else { return knots }
    let known = (step: Double(saved.step), hours: seconds / 3600)
    if knots.isEmpty { return [known] }
    // All of the run at the pace that the checkpoint measured up to its step.
    let estimated = knots.last { $0.step <= known.step } ?? knots[0]
    let factor = known.hours / known.step / (estimated.hours / estimated.step)
    return knots.map { ($0.step, $0.hours * factor) }
  }

  /// Seconds that a step took around some of the steps.
  private static func stepSeconds(
    _ metrics: RunMetrics, _ options: [(name: String, value: String)]
  ) -> [(step: Double, seconds: Double)] {
    if let stated = metrics.series["seconds_per_step"] {
      return zip(stated.steps, stated.values).map { ($0, $1) }
    }
    let values = Dictionary(options.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    guard let speeds = metrics.series["images_per_s"], let batch = values["batch_size"].flatMap(Double.init)
    else {
      return []
    }
    let rest = ["devices", "accumulate_grad_batches"].map { values[$0].flatMap(Double.init) ?? 1 }
    let images = batch * rest[0] * rest[1]
    return zip(speeds.steps, speeds.values).map { ($0, images / $1) }
  }

  /// The steps of an epoch that agree with the epoch of each line, which is that of its last step.
  private static func stepsPerEpoch(_ epochs: RunMetrics.Series) -> Double? {
    var (least, most) = (0.0, Double.infinity)
    for (step, epoch) in zip(epochs.steps, epochs.values) where step >= 1 && epoch >= 0 {
      least = max(least, step / (epoch + 1))
      if epoch >= 1 { most = min(most, (step - 1) / epoch) }
    }
    guard most.isFinite, least > 0 else { return nil }
    // The least whole number that fits, as the end of an epoch is logged by its validation.
    return min(least.rounded(.up), max(most, least))
  }
}
