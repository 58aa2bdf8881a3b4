import CleftFormats
import Foundation
import Glibc

/// Where a run says what it does: one progress line on a terminal, whole lines elsewhere, and `metrics.jsonl`.
public final class RunLog {
  private var metrics: JSONLinesWriter?
  private let isTerminal: Bool
  private var warnings: [(text: String, count: Int)] = []
  private var hasOpenLine = false

  /// Opens a log that only says things.
  public init() { isTerminal = isatty(2) == 1 }

  /// From here on numbers go to the run's folder.
  ///
  /// - Parameter step: lines of later steps, left by a process that was killed, are removed.
  public func open(folder: String, resumingFrom step: Int = 0) throws {
    metrics = try JSONLinesWriter("\(folder)/metrics.jsonl") { line in
      guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
        return false
      }
      return (object["step"] as? Int ?? 0) <= step
    }
  }

  /// Appends numbers of a step to `metrics.jsonl`.
  public func record(step: Int, _ values: [String: Double]) throws {
    var object = values.filter { $0.value.isFinite }
    object["step"] = Double(step)
    try metrics?.append(object)
  }

  /// A message on a line of its own.
  public func say(_ text: String) {
    closeLine()
    write(text + "\n")
  }

  /// A warning: printed once, counted, repeated in the summary.
  public func warn(_ text: String) {
    if let index = warnings.firstIndex(where: { $0.text == text }) {
      warnings[index].count += 1
      return
    }
    warnings.append((text, 1))
    say("warning: \(text)")
  }

  /// The progress line; `isMilestone` keeps it as a line of its own.
  public func progress(_ text: String, isMilestone: Bool) {
    if isTerminal {
      write("\r\u{1B}[K" + text)
      hasOpenLine = true
      if isMilestone { closeLine() }
    } else if isMilestone {
      write(text + "\n")
    }
  }

  /// Repeats the warnings, if any.
  public func summarizeWarnings() {
    if warnings.isEmpty { return }
    say("\(warnings.count) warning\(warnings.count == 1 ? "" : "s") in this run:")
    for warning in warnings { say("  \(warning.count)× \(warning.text)") }
  }

  private func closeLine() {
    if hasOpenLine { write("\n") }
    hasOpenLine = false
  }

  /// A terminal that has gone away must not end a run, so failures are passed over.
  private func write(_ text: String) {
    text.utf8.withContiguousStorageIfAvailable { _ = Glibc.write(2, $0.baseAddress, $0.count) }
  }
}

/// Resident memory of this process in bytes.
public func residentBytes() -> Int {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
    let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
  else { return 0 }
  return pages * Int(getpagesize())
}
