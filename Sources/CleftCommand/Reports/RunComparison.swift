import ArgumentParser
import Foundation

/// Several runs beside each other: their numbers, and where their options differ.
struct RunComparison {
  let runs: [RunRecord]
  let columns: [RunColumn]
  /// Folders that were looked at and are no runs.
  let skipped: [String]
  /// Values by column, then by run.
  let values: [[Double?]]

  init(_ runs: [RunRecord], columns: [RunColumn] = RunColumn.usual, skipped: [String] = []) {
    self.runs = runs
    self.columns = columns
    self.skipped = skipped
    values = columns.map { column in runs.map(column.value) }
  }

  /// What a run is called here: `#1`, `#2` and so on, as in the tables.
  static func label(_ index: Int) -> String { "#\(index + 1)" }

  /// Whether a value is the best of its column; never where all are equal or alone.
  func isBest(column: Int, run: Int) -> Bool {
    guard let isLargerBetter = columns[column].isLargerBetter, let own = values[column][run] else {
      return false
    }
    let known = values[column].compactMap { $0 }
    guard let least = known.min(), let most = known.max(), least < most else { return false }
    return own == (isLargerBetter ? most : least)
  }

  /// One cell: the number in the style of its column, the best one with a star.
  func cell(column: Int, run: Int) -> String {
    guard let value = values[column][run] else { return "–" }
    let text =
      columns[column].isTime
      ? RunColumn.time(hours: value) : NumberStyle(values[column].compactMap { $0 }).text(value)
    return isBest(column: column, run: run) ? text + "*" : text
  }

  /// Steps done and planned.
  func progress(_ run: RunRecord) -> String {
    "\(run.step)/\(run.plannedSteps.map(String.init) ?? "?")"
  }

  /// The newest epoch, counted as the metrics count it.
  func epoch(_ run: RunRecord) -> String {
    (run.metrics.series["epoch"]?.values.last).map { NumberStyle([$0]).text($0) } ?? "–"
  }

  /// Options in which the runs differ, with the value of each run; nil where a run does not have it.
  ///
  /// The name of the experiment is left out: it is the end of the folder's name. A run whose options cannot be read
  /// differs in none.
  var differences: [(name: String, values: [String?])] {
    var seen: Set<String> = ["experiment_name"]
    let names = runs.flatMap { $0.options.map(\.name) }.filter { seen.insert($0).inserted }
    let tables = runs.map { Dictionary($0.options.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }) }
    return names.compactMap { name in
      let values = tables.map { $0[name] }
      let known = zip(values, tables).filter { !$0.1.isEmpty }.map(\.0)
      return Set(known).count > 1 ? (name, values) : nil
    }
  }

  /// What is wrong with the folders, one line each.
  var notes: [String] {
    let own = runs.enumerated().flatMap { index, run in
      run.notes.map { "\(Self.label(index)) \(run.name): \($0)" }
    }
    if skipped.isEmpty { return own }
    let names = skipped.prefix(3).map { URL(fileURLWithPath: $0).lastPathComponent }.joined(separator: ", ")
    let rest = skipped.count > 3 ? ", …" : ""
    return own + [
      "skipped: \(skipped.count) folder\(skipped.count == 1 ? "" : "s") without a run: \(names)\(rest)"
    ]
  }
}

extension RunComparison {
  /// Sorts by a column, the best or largest first and those without the number last; by `name` from A to Z.
  static func sorted(_ runs: [RunRecord], by key: String) throws -> [RunRecord] {
    if key == "name" {
      return runs.sorted { $0.name.compare($1.name, options: .numeric) == .orderedAscending }
    }
    guard let column = try RunColumn.parse(key, option: "--sort", among: runs).first else { return runs }
    let isAscending = column.isLargerBetter == false
    let keyed = runs.enumerated().map {
      (place: $0.offset, run: $0.element, value: column.value(of: $0.element))
    }
    return keyed.sorted { one, other in
      guard let left = one.value else { return other.value == nil && one.place < other.place }
      guard let right = other.value else { return true }
      return left == right ? one.place < other.place : isAscending ? left < right : left > right
    }.map(\.run)
  }

  /// The table as CSV, with numbers in full.
  var csv: (columns: [String], rows: [[String]]) {
    let differences = differences
    let head = ["run", "state", "step", "of", "epoch"] + columns.map { "\($0.metric):\($0.reduction)" }
    let rows = runs.enumerated().map { index, run -> [String] in
      let epoch = run.metrics.series["epoch"]?.values.last
      var row = [run.name, run.standing.rawValue, "\(run.step)"]
      row.append(run.plannedSteps.map { "\($0)" } ?? "")
      row.append(epoch.map { "\($0)" } ?? "")
      row += values.map { column in column[index].map { "\($0)" } ?? "" }
      row += differences.map { $0.values[index] ?? "" }
      return row
    }
    return (head + differences.map(\.name), rows)
  }
}

/// A comparison as `--json` prints it.
struct RunComparisonJSON: Encodable {
  struct Summary: Encodable {
    let first, last, min, max: Double
    let count: Int
  }

  struct Run: Encodable {
    let name, path: String
    let state: RunStanding
    let step: Int
    let steps, checkpointStep: Int?
    let hours: Double?
    let metrics: [String: Summary]
    let unreadableLines: Int
    let notes: [String]
  }

  let runs: [Run]
  /// Options that differ, with a value for each run.
  let options: [String: [String?]]
  let skipped: [String]

  init(_ comparison: RunComparison) {
    runs = comparison.runs.map { run in
      Run(
        name: run.name, path: run.path, state: run.standing, step: run.step, steps: run.plannedSteps,
        checkpointStep: run.checkpointStep, hours: run.clock.hours,
        metrics: run.metrics.series.compactMapValues { Summary($0.values) },
        unreadableLines: run.metrics.unreadableLines.count + (run.metrics.hasTornEnd ? 1 : 0),
        notes: run.notes)
    }
    options = Dictionary(
      comparison.differences.map { ($0.name, $0.values) }, uniquingKeysWith: { first, _ in first })
    skipped = comparison.skipped
  }
}

extension RunComparisonJSON.Summary {
  init?(_ values: [Double]) {
    guard let first = values.first, let last = values.last, let min = values.min(), let max = values.max()
    else { return nil }
    self.init(first: first, last: last, min: min, max: max, count: values.count)
  }
}
