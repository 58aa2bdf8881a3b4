import CleftData
import CleftFormats
import Foundation

/// Something wrong with a step's numbers, found before any weight was moved.
public struct OddStep: Error, Sendable, Equatable {
  /// What it is, for example `loss nan is not finite`.
  public var what: String
  /// Rows of the samples concerned.
  public var origins: [String]
  /// Whether it is a loss far above the newest ones, instead of a number that is not finite.
  public var isSpike = false

  /// Makes an odd step.
  public init(what: String, origins: [String], isSpike: Bool = false) {
    (self.what, self.origins, self.isSpike) = (what, origins, isSpike)
  }
}

/// Decides what happens to steps with odd numbers: stop the run, or leave the step out and count it.
public struct StepGuard: Sendable {
  /// What to do about an odd step.
  public enum Policy: String, Sendable, CaseIterable {
    /// Goes on without a look.
    case off
    /// Says so and goes on.
    case warn
    /// Leaves the step out, counts it and says so.
    case skip
    /// Ends the run; the last checkpoint stands.
    case stop
  }

  /// Settings.
  public struct Config: Sendable, Equatable {
    /// For numbers that are not finite: `skip` or `stop`.
    public var onNotFinite = Policy.stop
    /// For a loss far above the newest ones.
    public var onSpike = Policy.warn
    /// How many standard deviations above the mean is far.
    public var spikeDeviations = 8.0

    /// Makes the usual settings.
    public init() {}
  }

  /// Losses that a new one is compared with.
  static let window = 100
  /// Losses without which nothing is called a spike.
  static let fewest = 20
  /// Steps left out one after another after which a run is stopped: it does not recover by itself.
  static let mostSkips = 10

  private let config: Config

  /// Makes a guard.
  public init(_ config: Config) { self.config = config }

  /// A loss far above the newest ones, as an odd step; nil for a usual one.
  ///
  /// Far is so many standard deviations above their mean; the deviation counts as at least 2 % of the mean, so that a flat
  /// curve is not full of spikes.
  public func spike(loss: Double, _ progress: RunProgress, _ origins: [String]) -> OddStep? {
    let losses = progress.recentLosses
    guard config.onSpike != .off, losses.count >= Self.fewest else { return nil }
    let mean = losses.reduce(0, +) / Double(losses.count)
    let variance = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(losses.count)
    let deviation = max(variance.squareRoot(), 0.02 * abs(mean), 1e-9)
    let z = (loss - mean) / deviation
    guard z > config.spikeDeviations else { return nil }
    let text = String(
      format: "loss %.4g is %.1f standard deviations above the newest %d", loss, z, losses.count)
    return OddStep(what: text, origins: origins, isSpike: true)
  }

  /// What happens to an odd step; counts it if it is left out.
  ///
  /// - Parameter done: number of the step, counted from 1.
  /// - Returns: whether the step is left out; otherwise it counts.
  /// - Throws: `TrainingError.badData` if the run ends.
  public func decide(
    _ odd: OddStep, step done: Int, _ progress: inout RunProgress, _ log: RunLog
  ) throws(TrainingError) -> Bool {
    let policy = odd.isSpike ? config.onSpike : config.onNotFinite
    let shown = odd.origins.prefix(4).joined(separator: ", ")
    let more = odd.origins.count > 4 ? " and \(odd.origins.count - 4) more" : ""
    let option = odd.isSpike ? "--on_spike" : "--on_nan"
    switch policy {
    case .off: return false
    case .warn:
      log.warn("step \(done): \(odd.what), on samples \(shown)\(more).")
      return false
    case .skip:
      progress.skippedSteps += 1
      progress.consecutiveSkips += 1
      log.warn("step \(done) is left out (\(option) skip): \(odd.what), on samples \(shown)\(more).")
      if progress.consecutiveSkips < Self.mostSkips { return true }
      throw .badData(
        Problem(
          "step \(done)",
          found:
            "\(Self.mostSkips) steps left out one after another, the last because \(odd.what), on samples \(shown)\(more)",
          hint:
            "Look at the samples named, or start anew from an older checkpoint with a lower --learning_rate and "
            + "--pretrained_model."))
    case .stop:
      throw .badData(
        Problem(
          "step \(done)", found: "\(odd.what), on samples \(shown)\(more)",
          hint: "Look at those samples, pass \(option) skip, or start anew with a lower --learning_rate and "
            + "--pretrained_model; the checkpoints stand."))
    }
  }

  /// Remembers the loss of a step that counted.
  public func accept(loss: Double, _ progress: inout RunProgress) {
    progress.consecutiveSkips = 0
    progress.recentLosses.append(loss)
    if progress.recentLosses.count > Self.window { progress.recentLosses.removeFirst() }
  }
}
