import Foundation
import Glibc

/// A comparison of runs as lines of text.
struct RunText {
  let comparison: RunComparison
  /// Columns of the terminal; nil for lines of any length.
  var width: Int?

  func text() -> String {
    let parts = [numbers, options].filter { !$0.isEmpty } + [comparison.notes.map { "note: \($0)" }]
    return parts.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
  }

  private var numbers: [String] {
    let head =
      [("#", false), ("run", false), ("state", false), ("step/of", true), ("epoch", true)]
      + comparison.columns.map { ($0.title, true) }
    let rows = comparison.runs.enumerated().map { index, run in
      [
        RunComparison.label(index), run.name.oneLine(limit: 4096), run.standing.text,
        comparison.progress(run), comparison.epoch(run),
      ] + comparison.columns.indices.map { cell($0, index) }
    }
    var table = TextTable(head: head, rows: rows, fixedCount: 2)
    table.shortened = 1
    return table.lines(width: width)
  }

  /// A cell whose digits stand below each other, star or not.
  private func cell(_ column: Int, _ run: Int) -> String {
    let hasStar = comparison.runs.indices.contains { comparison.isBest(column: column, run: $0) }
    let text = comparison.cell(column: column, run: run)
    return hasStar && !text.hasSuffix("*") ? text + " " : text
  }

  private var options: [String] {
    let count = comparison.runs.count
    if count < 2 { return [] }
    let differences = comparison.differences
    if differences.isEmpty { return ["options: the same in all \(count) runs"] }
    let head = [("option", false)] + (0..<count).map { (RunComparison.label($0), false) }
    let rows = differences.map { difference in
      [difference.name] + difference.values.map { ($0 ?? "–").oneLine(limit: 60) }
    }
    return ["options in which the runs differ:"]
      + TextTable(head: head, rows: rows, fixedCount: 1).lines(width: width)
  }

  /// Columns of the terminal that standard output is, or of `COLUMNS`; nil if it is neither.
  static var terminalWidth: Int? {
    var size = winsize()
    if isatty(1) == 1, ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
    return getenv("COLUMNS").flatMap { Int(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
  }
}

/// Columns of text under each other.
struct TextTable {
  /// Heads, and whether a column stands at the right.
  let head: [(title: String, isRight: Bool)]
  let rows: [[String]]
  /// Columns at the left that every block repeats.
  let fixedCount: Int
  /// Column that is cut in its middle where room is scarce.
  var shortened: Int?

  private static let gap = 2
  private static let leastShortened = 24

  /// Lines that fit a width; columns that do not fit beside each other follow below, with the first ones repeated.
  func lines(width limit: Int?) -> [String] {
    var widths = head.indices.map { column in
      rows.reduce(head[column].title.count) { max($0, $1[column].count) }
    }
    if let limit, let shortened {
      let excess = widths.reduce(0) { $0 + $1 + Self.gap } - Self.gap - limit
      if excess > 0 {
        widths[shortened] = max(min(widths[shortened], Self.leastShortened), widths[shortened] - excess)
      }
    }
    var blocks: [[Int]] = [[]]
    let fixed = widths[..<fixedCount].reduce(0) { $0 + $1 + Self.gap }
    var used = fixed
    for column in fixedCount..<head.count {
      let next = widths[column] + Self.gap
      if let limit, used + next - Self.gap > limit, !(blocks.last?.isEmpty ?? true) {
        blocks.append([])
        used = fixed
      }
      blocks[blocks.count - 1].append(column)
      used += next
    }
    let texts = blocks.map { block in
      ([head.map(\.title)] + rows).map { line($0, Array(0..<fixedCount) + block, widths) }
    }
    return Array(texts.joined(separator: [""]))
  }

  private func line(_ cells: [String], _ columns: [Int], _ widths: [Int]) -> String {
    let text = columns.map { column -> String in
      let cell = cells[column]
      let width = widths[column]
      return cell.count > width
        ? Self.cut(cell, width) : cell.padded(to: head[column].isRight ? -width : width)
    }.joined(separator: String(repeating: " ", count: Self.gap))
    return String(text.reversed().drop { $0 == " " }.reversed())
  }

  /// Both ends of a text, more of the second one: the name of a run stands behind its stamp.
  private static func cut(_ text: String, _ width: Int) -> String {
    let tail = (width - 1) * 2 / 3
    return "\(text.prefix(width - 1 - tail))…\(text.suffix(tail))"
  }
}
