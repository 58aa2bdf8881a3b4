import CleftFormats
import CleftMetrics
import CleftTraining
import Foundation

/// What linear probes found, as a table to read and as one to compute with.
struct ProbeText {
  let report: ProbeReport

  /// For people: a line for each method on each share.
  var text: String {
    let parts = report.parts.map { "\($0.split) \($0.pictures) pictures of \($0.patients) patients" }
    let asked =
      report.question == .oneOf
      ? "one of \(report.classNames.count) classes" : "\(report.classNames.count) classes asked one by one"
    var lines = [
      "\(report.dataset): linear probes of \(report.feature) features, \(report.width) a picture; \(asked)",
      parts.joined(separator: ", "),
    ]
    let chance = ["accuracy", "auc"].compactMap { name -> String? in
      guard let value = report.rows.first?.metric(name)?.chance else { return nil }
      return "\(name == "auc" ? "AUC" : name) \(Self.percent(value))"
    }
    if !chance.isEmpty { lines.append("chance: " + chance.joined(separator: ", ") + " (in %)") }
    lines.append("")
    lines += Self.columns([Self.head] + report.rows.map(cells))
    let several = report.rows.map(\.draws.count).max() ?? 1
    lines.append("")
    if several > 1 {
      lines.append(
        "Of several draws of training pictures: mean, and in parentheses the least and the largest.")
    }
    if report.bootstrapDraws > 0 {
      lines.append("In brackets: 95 % interval over \(report.bootstrapDraws) draws of test patients.")
    }
    return lines.joined(separator: "\n").trimmingCharacters(in: .newlines)
  }

  /// For programs: the same with all metrics.
  var csv: String {
    let names = report.rows.flatMap { $0.metrics.map(\.name) }.reduce(into: [String]()) { found, name in
      if !found.contains(name) { found.append(name) }
    }
    let parts = ["", "_lowest", "_highest", "_lower", "_upper", "_chance"]
    let rows = report.rows.map { row -> [String] in
      let strengths = row.draws.map(\.choice.strength)
      let start = [
        row.share, row.fraction.map { "\($0)" } ?? "", row.shots.map { "\($0)" } ?? "", row.method.rawValue,
        "\(row.draws.count)", Self.range(row.draws.map(\.pictures)), Self.range(row.draws.map(\.patients)),
        row.method.strengthName, strengths.map { "\($0)" }.joined(separator: " "),
        row.draws.map { "\($0.choice.judge)" }.first ?? "",
      ]
      return start
        + names.flatMap { name -> [String] in
          let metric = row.metric(name)
          let values = [
            metric?.mean, metric?.lowest, metric?.highest, metric?.interval?.lower, metric?.interval?.upper,
            metric?.chance,
          ]
          return values.map { $0.map { "\($0)" } ?? "" }
        }
    }
    return csvText(
      columns: [
        "share", "fraction", "shots", "method", "draws", "pictures", "patients", "strength_name", "strength",
        "chosen_by",
      ] + names.flatMap { name in parts.map { name + $0 } }, rows: rows)
  }

  // MARK: - Cells

  private static let head = [
    "share", "pictures", "patients", "method", "draws", "strength", "accuracy %", "AUC %",
  ]

  private func cells(_ row: ProbeReport.Row) -> [String] {
    let strengths = row.draws.map(\.choice.strength)
    let low = strengths.min() ?? 0
    let high = strengths.max() ?? 0
    let strength = low == high ? Self.short(low) : "\(Self.short(low))–\(Self.short(high))"
    let mark = row.draws.contains { $0.choice.isAtEnd } ? " (end)" : ""
    return [
      row.share, Self.range(row.draws.map(\.pictures)), Self.range(row.draws.map(\.patients)),
      row.method.rawValue, "\(row.draws.count)", "\(row.method.strengthName) \(strength)\(mark)",
      Self.cell(row.metric("accuracy")), Self.cell(row.metric("auc")),
    ]
  }

  private static func cell(_ metric: ProbeMetric?) -> String {
    guard let metric, let mean = metric.mean else { return "undefined" }
    var text = percent(mean)
    if metric.values.count > 1, let lowest = metric.lowest, let highest = metric.highest {
      text += " (\(percent(lowest))–\(percent(highest)))"
    }
    if let interval = metric.interval { text += " [\(percent(interval.lower))–\(percent(interval.upper))]" }
    return text
  }

  private static func percent(_ value: Double) -> String { String(format: "%.1f", 100 * value) }

  private static func short(_ value: Double) -> String { String(format: "%.2g", value) }

  private static func range(_ values: [Int]) -> String {
    guard let least = values.min(), let most = values.max() else { return "" }
    return least == most ? "\(least)" : "\(least)–\(most)"
  }

  /// Cells under each other, two spaces between columns.
  private static func columns(_ rows: [[String]]) -> [String] {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      zip(row, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }.joined(separator: "  ").trimmingCharacters(in: .whitespaces)
    }
  }
}
