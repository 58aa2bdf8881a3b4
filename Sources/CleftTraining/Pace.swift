import CleftTensor
import Foundation

/// How fast a run goes: time in steps alone, without validation and saving.
struct Pace {
  /// Steps measured.
  private(set) var steps = 0
  /// Seconds of them.
  private(set) var seconds = 0.0
  /// Seconds of them that were spent waiting for pictures.
  private(set) var waitedSeconds = 0.0
  /// Seconds of them in matrix products, and in attention.
  private(set) var work = (products: 0.0, attention: 0.0)
  /// Seconds of the newest step.
  private(set) var newest = 0.0
  /// Steps and seconds since the newest record.
  private var interval = (steps: 0, seconds: 0.0)
  private var started = ContinuousClock.now

  private var workBefore = (products: 0.0, attention: 0.0)

  /// A step begins.
  mutating func begin() {
    workBefore = Runtime.workSeconds
    started = .now
  }

  /// A step has ended.
  mutating func end(waited: Double) {
    newest = (ContinuousClock.now - started) / .seconds(1)
    seconds += newest
    waitedSeconds += waited
    let now = Runtime.workSeconds
    work.products += now.products - workBefore.products
    work.attention += now.attention - workBefore.attention
    steps += 1
    interval.steps += 1
    interval.seconds += newest
  }

  /// Mean seconds of the steps since the newest record; 0 without one.
  var intervalStepSeconds: Double { interval.steps == 0 ? 0 : interval.seconds / Double(interval.steps) }

  /// A record has been made.
  mutating func endInterval() { interval = (0, 0) }

  /// Mean seconds a step; 0 before the first.
  var stepSeconds: Double { steps == 0 ? 0 : seconds / Double(steps) }

  /// A part of the time, as a share.
  func fraction(_ part: Double) -> Double { seconds > 0 ? part / seconds : 0 }
}
