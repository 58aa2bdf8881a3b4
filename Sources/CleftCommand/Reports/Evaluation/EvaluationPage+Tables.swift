import CleftMetrics
import CleftTraining
import Foundation

/// Prompt sets, classes, thresholds, subgroups: tables of numbers with intervals.
extension EvaluationPage {
  var promptSets: String {
    if report.scores.count < 2 { return "" }
    let names = ["accuracy", "balanced_accuracy", "auc", "average_precision"]
    let metrics = names.compactMap { card?.metric($0) }
    let (columns, cells) = Self.columns(metrics, report.scores.map(\.card.metrics))
    let table = StackTable(
      caption: "The same pictures asked in other words; the first set is the headline’s",
      columns: [.init(title: "Prompts", kind: .text)] + columns,
      rows: zip(report.scores, cells).map { ["<span>\($0.prompts.escaped)</span>"] + $1 })
    return explanation(
      "How much the answers hang on the wording: large gaps mean that the numbers are fragile.")
      + table.html()
  }

  var classTable: String {
    guard let card, !card.classes.isEmpty else { return "" }
    let hasUnknown = card.classes.contains { $0.unknownCount > 0 }
    let metrics = Self.metrics(of: card.classes.map(\.metrics))
    let (numbers, cells) = Self.columns(metrics, card.classes.map(\.metrics))
    let rows = zip(card.classes, cells).map { one, cells in
      [one.name.escaped, MetricText.count(one.positiveCount), MetricText.count(one.negativeCount)]
        + (hasUnknown ? [MetricText.count(one.unknownCount)] : []) + cells
    }
    let columns: [StackTable.Column] =
      [.init(title: "Class", kind: .text), .init(title: "With"), .init(title: "Without")]
      + (hasUnknown ? [.init(title: "Unknown")] : []) + numbers
    return explanation(
      "Each class against all others: AUC tells how well pictures with it are ranked above those without, average "
        + "precision how pure the top of that ranking is."
    )
      + StackTable(
        caption: "Pictures with and without each class, and how well they are told apart", columns: columns,
        rows: rows
      ).html()
  }

  var thresholds: String {
    guard let card else { return "" }
    let chosen = card.classes.flatMap { one in one.thresholds.map { (one, $0) } }
    if chosen.isEmpty { return explanation("None were chosen. \(MetricText.line(report.validation))") }
    let metrics = Self.metrics(of: chosen.map(\.1.metrics))
    let rows = chosen.map { one, threshold in
      [
        "\(one.name.escaped) <small>\(Self.rule(threshold.rule).escaped)</small>",
        MetricText.fixed(threshold.threshold, 3), Self.reached(threshold),
      ] + metrics.map { metric in Self.written(threshold.metrics.first { $0.name == metric.name }) }
    }
    let columns: [StackTable.Column] =
      [.init(title: "Class", kind: .text), .init(title: "Threshold"), .init(title: "On validation")]
      + metrics.map { .init(title: $0.title) }
    return explanation(
      "A probability of at least the threshold counts as yes. Chosen on other pictures than those of the table, so that "
        + "the numbers are not flattered. \(MetricText.line(report.validation))"
    )
      + StackTable(
        caption: "Thresholds chosen on validation pictures, and what they give on the test set",
        columns: columns, rows: rows
      ).html()
  }

  private static func rule(_ name: String) -> String {
    switch name {
    case "f1": "for the largest F1"
    case "youden": "for the largest sensitivity + specificity (Youden)"
    default: "for \(name)"
    }
  }

  private static func reached(_ card: ThresholdCard) -> String {
    let name = card.rule == "youden" ? "J" : card.rule == "f1" ? "F1" : card.rule
    return "\(name.escaped)\u{A0}\(MetricText.fixed(card.validationValue, 3))"
  }

  /// A number and its interval without a drawing.
  static func written(_ metric: MetricValue?) -> String {
    guard let metric else { return "–" }
    guard let value = metric.value else {
      return "<span class=\"undefined\">undefined</span>"
        + (metric.note.map { "<small>\($0.escaped)</small>" } ?? "")
    }
    let reach = metric.interval.map { " <small>\(MetricText.interval($0, metric.name))</small>" } ?? ""
    let chance = StackTable.chance(metric)
    return MetricText.number(value, metric.name) + reach + (chance.isEmpty ? "" : " <small>\(chance)</small>")
  }

  var subgroups: String {
    guard let card, !card.subgroups.isEmpty else { return "" }
    var traits: [String] = []
    for group in card.subgroups where !traits.contains(group.trait) { traits.append(group.trait) }
    let metrics = Array(Self.metrics(of: card.subgroups.map(\.metrics)).prefix(4))
    let tables = traits.map { trait in
      let groups = card.subgroups.filter { $0.trait == trait }
      let (columns, cells) = Self.columns(metrics, groups.map(\.metrics))
      let rows = zip(groups, cells).map { group, cells in
        let few = group.metrics.isEmpty ? " <small>too few pictures for numbers</small>" : ""
        return [group.value.escaped + few, MetricText.count(group.count)] + cells
      }
      return StackTable(
        caption: "By \(trait)",
        columns: [.init(title: MetricText.sentence(trait), kind: .text), .init(title: "Pictures")] + columns,
        rows: rows
      ).html()
    }
    return explanation(
      "The same numbers for parts of the pictures: intervals that do not meet hint at a model that serves one group worse."
    ) + tables.joined(separator: "\n")
  }

  var comparison: String {
    guard let comparison = report.comparison else { return "" }
    let differences = comparison.differences
    let bounds = differences.filter { MetricText.isShare($0.name) }.flatMap {
      [$0.difference, $0.interval?.lower, $0.interval?.upper].compactMap { $0 }
    }
    let reach = max(0.01, (bounds.map(abs).max() ?? 0) * 1.05)
    let rows = differences.map { one in
      [
        one.title.escaped, one.value.map { MetricText.number($0, one.name) } ?? Self.undefined,
        one.other.map { MetricText.number($0, one.name) } ?? Self.undefined, Self.cell(one, reach),
        one.p.map(MetricText.p) ?? "–",
      ]
    }
    let table = StackTable(
      caption:
        "This evaluation minus the other one, on \(MetricText.count(comparison.count, "picture")) of both",
      columns: [
        .init(title: "Number", kind: .text), .init(title: "Here"), .init(title: "Other"),
        .init(title: "Difference", kind: .metric), .init(title: "p"),
      ], rows: rows)
    return explanation(
      "Both evaluations on the same draws of patients; an interval that leaves out 0 is a difference beyond chance. "
        + "Differences of shares are in percentage points."
    ) + "<p class=\"source\">Compared with \(comparison.other.escaped)</p>" + table.html()
  }

  private static let undefined = "<span class=\"undefined\">undefined</span>"

  private static func cell(_ one: MetricDifference, _ reach: Double) -> String {
    guard let difference = one.difference else { return undefined }
    let plot =
      MetricText.isShare(one.name)
      ? IntervalPlot(value: difference, interval: one.interval, mark: 0, range: -reach...reach).svg() : ""
    let written = one.interval.map { MetricText.interval($0, one.name) } ?? ""
    return """
      <div class="metric">\(plot)<b>\(MetricText.difference(difference, one.name))</b>\
      <span class="reach">\(written)</span></div>
      """
  }

  var retrieval: String {
    guard let retrieval = report.retrieval else { return "" }
    let rows = retrieval.metrics.map { metric in
      [
        metric.title.escaped, StackTable.cell(metric),
        metric.chance.map { MetricText.number($0, metric.name) } ?? "–",
      ]
    }
    return explanation(
      "How often the caption that belongs to a picture, or the picture that belongs to a caption, is among the nearest."
    )
      + StackTable(
        caption: MetricText.count(retrieval.count, "pair") + " of picture and caption",
        columns: [
          .init(title: "Number", kind: .text), .init(title: "Value", kind: .metric), .init(title: "Chance"),
        ], rows: rows
      ).html()
  }

  /// Columns of some numbers and the cells of each row; a chance that all rows share stands above its column.
  private static func columns(
    _ metrics: [MetricValue], _ rows: [[MetricValue]]
  ) -> (columns: [StackTable.Column], cells: [[String]]) {
    let found = metrics.map { metric in rows.map { $0.first { $0.name == metric.name } } }
    let shared = found.map { column -> String? in
      let chances = Set(column.compactMap { $0.map(StackTable.chance) })
      return chances.count == 1 ? chances.first : nil
    }
    let columns = zip(metrics, shared).map {
      StackTable.Column(title: $0.title, kind: .metric, chance: $1 ?? "")
    }
    let cells = rows.indices.map { row in
      metrics.indices.map { StackTable.cell(found[$0][row], showsChance: shared[$0] == nil) }
    }
    return (columns, cells)
  }

  /// The first value of each name, in the order in which names come.
  private static func metrics(of rows: [[MetricValue]]) -> [MetricValue] {
    var found: [MetricValue] = []
    for metric in rows.joined() where !found.contains(where: { $0.name == metric.name }) {
      found.append(metric)
    }
    return found
  }
}
