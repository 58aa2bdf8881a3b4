import CleftFormats
import Foundation

/// What may end a run before its last step: a signal, or the time it was given.
public struct RunLimits: Sendable {
  /// Seconds this process may take, from its own start; nil for no limit.
  public var maxSeconds: Double?
  private let start = ContinuousClock.now

  /// Starts the clock.
  public init(maxSeconds: Double? = nil) { self.maxSeconds = maxSeconds }

  /// Fails if the run has to end now.
  ///
  /// - Parameters:
  ///   - step: steps done.
  ///   - stepSeconds: what one more step and a checkpoint take; a step that cannot end in time is not begun.
  /// - Throws: `TrainingError.stoppedEarly`, which says what stands.
  func requireTime(step: Int, stepSeconds: Double) throws(TrainingError) {
    if let reason = reasonToEnd(beforeSeconds: stepSeconds) { throw stopped(step, reason) }
  }

  /// Why the run has to end before something that takes so many seconds; nil if it need not.
  func reasonToEnd(beforeSeconds seconds: Double = 0) -> String? {
    if let signal = Signals.stopRequest { return "asked to stop by \(Signals.name(signal))" }
    guard let maxSeconds else { return nil }
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    return elapsed + seconds > maxSeconds ? "--max_time is over" : nil
  }

  private func stopped(_ step: Int, _ reason: String) -> TrainingError {
    if step == 0 {
      return .stoppedEarly(
        Problem("step 0", found: "\(reason) before the first step; there is nothing to go on from"))
    }
    return .stoppedEarly(
      Problem(
        "step \(step)", found: "\(reason); a checkpoint is written",
        hint: "Go on with the same command and --resume_ckpt last."))
  }
}
