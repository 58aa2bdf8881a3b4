import Foundation

/// How far a long job is: always on a terminal, every half minute and at the end elsewhere.
public struct ProgressLine {
  private let log: RunLog
  private let noun: String
  /// When the first count came, and which: what was done before is not of this job's speed.
  private var first: (time: ContinuousClock.Instant, done: Int)?
  private var lastLine = ContinuousClock.now

  /// Starts a line about `noun`, in the plural.
  public init(_ log: RunLog, of noun: String = "pictures") {
    self.log = log
    self.noun = noun
  }

  /// Says how many are done; may be called as often as one likes.
  public mutating func show(done: Int, of total: Int) {
    let now = ContinuousClock.now
    let start = first ?? (now, done)
    first = start
    let isMilestone = now - lastLine > .seconds(30) || done == total
    if isMilestone { lastLine = now }
    let text = Self.text(
      noun, done: done, of: total, newlyDone: done - start.done, seconds: (now - start.time) / .seconds(1))
    log.progress(text, isMilestone: isMilestone)
  }

  /// The line: how many are done, how fast it goes and how long the rest will take.
  ///
  /// - Parameter newlyDone: those of `done` that took `seconds`.
  package static func text(
    _ noun: String, done: Int, of total: Int, newlyDone: Int, seconds: Double
  ) -> String {
    guard newlyDone > 0, seconds > 0 else { return "\(done)/\(total) \(noun)" }
    let rate = Double(newlyDone) / seconds
    let left = Duration.seconds((Double(total - done) / rate).rounded(.up))
    let time = left.formatted(.units(allowed: [.hours, .minutes, .seconds], width: .narrow))
    return "\(done)/\(total) \(noun)  \(String(format: "%.0f", rate)) \(noun)/s  \(time) left"
  }
}
