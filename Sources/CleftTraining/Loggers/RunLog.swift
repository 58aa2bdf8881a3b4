import CleftImaging
import Foundation
import Glibc

/// Where a run says what it does: lines for people on standard error, numbers and pictures for the recorders.
public final class RunLog {
  /// What numbers and pictures go to; none before `open`.
  public private(set) var recorders: [any RunRecorder] = []
  private let terminal: Terminal
  private let environment: [String: String]
  private var warnings: [(text: String, count: Int)] = []

  /// Opens a log that only says things.
  public convenience init() {
    self.init(descriptor: 2, environment: ProcessInfo.processInfo.environment)
  }

  /// The same with another place for lines, and other settings around it.
  package init(descriptor: Int32, environment: [String: String]) {
    terminal = Terminal(descriptor, environment: environment)
    self.environment = environment
  }

  /// From here on numbers and pictures go to the run's folder.
  ///
  /// Says so if settings of a tracking service are in the environment.
  ///
  /// - Parameters:
  ///   - step: what a process that was killed recorded of later steps counts no more.
  ///   - keepsValidation: whether the validation at `step` itself was part of what is gone on from.
  ///   - writesEvents: whether TensorBoard's events are written beside `metrics.jsonl`.
  /// - Throws: `FormatError.system`.
  public func open(
    folder: String, resumingFrom step: Int = 0, keepsValidation: Bool = true, writesEvents: Bool = true
  ) throws {
    add(
      try JSONLinesRecorder(folder: folder, resumingFrom: step, keepsValidation: keepsValidation))
    if writesEvents { add(try TensorBoardRecorder(folder: folder, resumingFrom: step)) }
    let notice = TrackingService.notice(environment, folder: folder, hasEvents: writesEvents)
    if let notice { say(notice) }
  }

  /// Hands numbers and pictures to one more recorder from here on.
  public func add(_ recorder: any RunRecorder) { recorders.append(recorder) }

  // MARK: - Numbers and pictures

  /// Records numbers of a step by their published names.
  ///
  /// - Throws: the first failure, after every recorder has had its turn; so do the others below.
  public func record(step: Int, _ values: [String: Double]) throws {
    try each { try $0.record(step: step, scalars: values) }
  }

  /// Records the distribution of some values, for example of an adapter's matrix.
  public func histogram(step: Int, _ name: String, _ values: [Float]) throws {
    try each { try $0.record(step: step, histogram: name, values: values) }
  }

  /// Records pictures as the model sees them.
  public func images(step: Int, _ name: String, _ pictures: [GrayImage]) throws {
    try each { try $0.record(step: step, images: name, pictures) }
  }

  /// Records scores of a class, for its precision–recall curve.
  public func curve(step: Int, _ name: String, _ scores: ClassScores) throws {
    try each { try $0.record(step: step, curve: name, scores) }
  }

  /// Gives what was recorded to the system.
  public func flush() throws { try each { try $0.flush() } }

  private func each(_ body: (any RunRecorder) throws -> Void) throws {
    var failures: [any Error] = []
    for recorder in recorders {
      do { try body(recorder) } catch { failures.append(error) }
    }
    if let first = failures.first { throw first }
  }

  // MARK: - Lines

  /// A message on a line of its own.
  public func say(_ text: String) { terminal.line(text) }

  /// A warning: printed once, counted, repeated in the summary.
  public func warn(_ text: String) {
    if let index = warnings.firstIndex(where: { $0.text == text }) {
      warnings[index].count += 1
      return
    }
    warnings.append((text, 1))
    say("warning: \(text)")
  }

  /// The progress line: written again in place on a terminal; `isMilestone` makes it a line that stays, everywhere.
  public func progress(_ text: String, isMilestone: Bool) {
    if isMilestone { terminal.line(text) } else { terminal.passing(text) }
  }

  /// The progress line of a step, as long as there is room.
  public func progress(_ figures: StepFigures, isMilestone: Bool) {
    if isMilestone || terminal.isInteractive {
      progress(figures.line(columns: min(100, (terminal.columns ?? 101) - 1)), isMilestone: isMilestone)
    }
  }

  /// Repeats the warnings, if any.
  public func summarizeWarnings() {
    if warnings.isEmpty { return }
    say("\(warnings.count) warning\(warnings.count == 1 ? "" : "s") in this run:")
    for warning in warnings { say("  \(warning.count)× \(warning.text)") }
  }
}

/// Resident memory of this process in bytes.
public func residentBytes() -> Int {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
    let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
  else { return 0 }
  return pages * Int(getpagesize())
}
