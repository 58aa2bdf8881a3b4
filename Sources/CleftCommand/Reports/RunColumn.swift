import ArgumentParser
import CleftFormats
import Foundation

/// One number of each run, as a column shows it.
struct RunColumn {
  /// How the values of a run become one.
  enum Reduction: String, CaseIterable {
    case first, last, best, min, max, mean
  }

  /// Name as in `metrics.jsonl`, or `hours`, `step`.
  let metric: String
  let reduction: Reduction
  /// Head of the column.
  let title: String

  /// What is shown unless something else is asked for.
  static let usual: [RunColumn] = [
    RunColumn("val_loss", .best), RunColumn("val_loss", .last), RunColumn("test_acc1", .last),
    RunColumn("test_auc", .last), RunColumn("images_per_s", .mean, title: "images/s"),
    RunColumn("hours", .last), RunColumn("resident_mib", .max, title: "MiB"),
  ]

  /// Words that stand for a number under another name.
  private static let aliases = ["memory": "resident_mib"]
  /// What every run has besides its metrics.
  private static let ownNames = ["hours", "step"]

  init(_ metric: String, _ reduction: Reduction, title: String? = nil) {
    self.metric = metric
    self.reduction = reduction
    let name = metric == "hours" ? "time" : metric
    self.title = title ?? (reduction == .last && metric != "val_loss" ? name : "\(name) \(reduction)")
  }

  /// Reads `name` or `name:reduction`; a name with `*` or `?` stands for all numbers that fit it.
  ///
  /// - Throws: `ValidationError` with the nearest names if no run has such a number.
  static func parse(_ text: String, option: String, among runs: [RunRecord]) throws -> [RunColumn] {
    var (name, reduction) = (text, Reduction.last)
    if let colon = text.lastIndex(of: ":"),
      let found = Reduction(rawValue: String(text[colon...].dropFirst()))
    {
      (name, reduction) = (String(text[..<colon]), found)
    }
    name = aliases[name] ?? name
    let known = Set(runs.flatMap(\.metrics.series.keys) + ownNames)
    let isPattern = name.contains(where: "*?[".contains)
    let names =
      known.contains(name) ? [name] : isPattern ? known.filter { fnmatch(name, $0, 0) == 0 }.sorted() : []
    if names.isEmpty {
      let near = nearestNames(to: name, among: known)
      throw ValidationError(
        "\(option) is '\(text)'; expected a number that a run has: \(near.joined(separator: ", ")), …")
    }
    let columns = names.map { RunColumn($0, reduction) }
    for column in columns where reduction == .best && column.isLargerBetter == nil {
      throw ValidationError(
        "\(option) is '\(text)'; \(column.metric) has no better and worse. Ask for :min or :max instead.")
    }
    return columns
  }

  /// Whether a larger value is better; nil where neither is.
  var isLargerBetter: Bool? {
    let words = Set(metric.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init))
    func has(_ parts: [String]) -> Bool {
      words.contains { word in parts.contains { word == $0 || word.dropLast { $0.isNumber } == $0 } }
    }
    if has(["loss", "ece", "brier", "mib", "wait", "seconds", "error"]) { return false }
    return has(["acc", "accuracy", "auc", "auroc", "ap", "f", "recall", "precision", "images", "tokens"])
      ? true : nil
  }

  /// Whether the values are hours, which a table shows as times.
  var isTime: Bool { metric == "hours" }

  /// A length of time as people read it: `1.9 s`, `3.2 min`, `4.5 h`.
  static func time(hours: Double) -> String {
    let seconds = hours * 3600
    // What would be rounded to sixty of one unit is one of the next.
    if seconds < 59.95 { return String(format: "%.1f s", seconds) }
    if seconds < 59.95 * 60 { return String(format: "%.1f min", seconds / 60) }
    return String(format: "%.1f h", hours)
  }

  /// The value of a run; nil if it has none.
  func value(of run: RunRecord) -> Double? {
    switch metric {
    case "hours": return run.clock.hours
    case "step": return Double(run.step)
    default: break
    }
    guard let values = run.metrics.series[metric]?.values else { return nil }
    switch reduction {
    case .first: return values.first
    case .last: return values.last
    case .min: return values.min()
    case .max: return values.max()
    case .mean: return values.reduce(0, +) / Double(values.count)
    case .best: return isLargerBetter == true ? values.max() : values.min()
    }
  }
}

extension StringProtocol {
  /// Without the characters at the end that fit.
  fileprivate func dropLast(while fits: (Character) -> Bool) -> SubSequence {
    var end = endIndex
    while end > startIndex, fits(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}

/// How the numbers of a column or an axis are written, all alike.
struct NumberStyle {
  /// Digits behind the point; nil for powers of ten.
  let decimals: Int?

  /// A style with about four digits for the largest of some numbers.
  init(_ values: [Double]) {
    let whole = values.allSatisfy { $0 == $0.rounded() && abs($0) < 1e9 }
    let most = values.map(abs).max() ?? 0
    if whole {
      decimals = 0
    } else if most < 1e-3 || most >= 1e9 {
      decimals = nil
    } else {
      decimals = most >= 1000 ? 0 : most >= 100 ? 1 : most >= 10 ? 2 : 4
    }
  }

  /// Written out.
  func text(_ value: Double) -> String {
    decimals.map { String(format: "%.\($0)f", value) } ?? String(format: "%.3e", value)
  }
}
