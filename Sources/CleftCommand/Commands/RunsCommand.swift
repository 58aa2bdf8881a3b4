import ArgumentParser
import CleftFormats
import CleftTraining
import Foundation

/// `cleft runs`: what runs reached, and where they differ.
struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "Compare runs: a table of their numbers, the options in which they differ, a page of curves.",
    discussion: """
      FOLDER is a run or a folder of runs; without one, all runs below --log_dir are listed, the newest last. A number \
      is named as in metrics.jsonl; behind a colon stands which of its values is meant: val_loss:best, val_acc1:max, \
      train_loss:first, images_per_s:mean; without one it is the last. 'hours' and 'memory' are known besides. The \
      best of a column has a star. Unreadable lines are left out and counted.
      """)

  @Argument(help: "Run folders or folders of runs.") var folders: [String] = []
  @Option(help: "Folder of all runs, looked into if no FOLDER is given.") var log_dir = "logs"
  @Option(help: "Only runs with this in their name, or whose name fits a pattern with * or ?.") var name:
    String?
  @Option(help: "Only so many of the newest.") var last: Int?
  @Option(help: "Sort by name or by a number, the best first; default: the newest last.") var sort: String?
  @Option(help: "Numbers to show, separated by commas; * and ? fit any characters.") var metrics: String?
  @Option(help: "HTML page to write: the table, the options, and the curves of all runs.") var html: String?
  @Option(
    help:
      "What the page's curves are drawn over: \(RunAxis.allCases.map(\.rawValue).joined(separator: ", ")).")
  var x: RunAxis = .step
  @Option(help: "CSV file to write: the table, with the options that differ.") var csv: String?
  @Flag(help: "Replace --html and --csv files that are there.") var overwrite = false
  @Flag(help: "Print one JSON object instead of tables.") var json = false

  mutating func validate() throws {
    if let last, last < 1 { throw ValidationError("--last is \(last); expected at least 1.") }
  }

  func run() throws {
    for (option, path) in [("--html", html), ("--csv", csv)] {
      guard let path else { continue }
      if !overwrite, FileSystem.exists(path) {
        throw FormatError.system(
          Problem(
            "\(option) \(path)", found: "something there already", expected: "a new name",
            hint: "Choose another one, or pass --overwrite."))
      }
      try FileSystem.requireWritable(path)
    }
    let found = try RunFinder(folders: folders.isEmpty ? [log_dir] : folders, name: name, newest: last)()
    let runs = try sort.map { try RunComparison.sorted(found.runs, by: $0) } ?? found.runs
    let chosen = try metrics.map { try columns($0, runs) }
    let comparison = RunComparison(runs, columns: chosen ?? RunColumn.usual, skipped: found.skipped)
    if json {
      print(jsonText(RunComparisonJSON(comparison)))
    } else {
      print(RunText(comparison: comparison, width: RunText.terminalWidth).text())
    }
    if let csv {
      let table = comparison.csv
      try FileSystem.write(Data(csvText(columns: table.columns, rows: table.rows).utf8), to: csv)
    }
    if let html {
      let page = RunPage(comparison: comparison, axis: x, metrics: chosen.map(charted))
      try FileSystem.write(Data(page.html().utf8), to: html)
    }
    for path in [csv, html].compactMap({ $0 }) { RunLog().say("written: \(path)") }
  }

  private func columns(_ text: String, _ runs: [RunRecord]) throws -> [RunColumn] {
    let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
      !$0.isEmpty
    }
    if names.isEmpty { throw ValidationError("--metrics is '\(text)'; expected names of numbers.") }
    return try names.flatMap { try RunColumn.parse($0, option: "--metrics", among: runs) }
  }

  /// The numbers of some columns that have a curve, each once.
  private func charted(_ columns: [RunColumn]) -> [String] {
    var seen: Set<String> = ["hours", "step"]
    return columns.map(\.metric).filter { seen.insert($0).inserted }
  }
}
