import CleftMetrics
import CleftTraining
import Foundation

/// Which classes are taken for which.
extension EvaluationPage {
  /// More classes, or longer names, are numbered above the columns, with the names at the rows.
  private static let (namedLimit, nameLimit) = (6, 22)

  var confusion: String {
    if let counts = main?.counts, !counts.isEmpty { return answers(counts) }
    guard let counts = card?.confusion, counts.count == report.classNames.count, !counts.isEmpty else {
      return ""
    }
    let isNamed =
      counts.count <= Self.namedLimit && report.classNames.allSatisfy { $0.count <= Self.nameLimit }
    let head = report.classNames.enumerated().map { index, name in
      let shown =
        isNamed
        ? "<span class=\"no\">\(index + 1)</span><span class=\"name\">\(name.escaped)</span>"
        : "<abbr title=\"\(name.escaped)\">\(index + 1)</abbr>"
      return "<th scope=\"col\">\(shown)</th>"
    }.joined()
    let rows = zip(report.classNames, counts).enumerated().map { index, pair in
      let (name, row) = pair
      let total = row.reduce(0, +)
      let cells = row.enumerated().map { cell($1, of: total, isRight: $0 == index) }.joined()
      return """
        <tr><th scope="row"><div><span class="no">\(index + 1)</span><span>\(name.escaped)</span></div></th>\(cells)\
        <td class="sum">\(MetricText.count(total))</td></tr>
        """
    }
    return explanation(
      "Each row is what is true, each column what the model says; the percentages are shares of the row, and pictures on "
        + "the diagonal, outlined, are right."
    ) + """
      <div class="wide" role="region" aria-label="Confusion matrix" tabindex="0"><table class="heat\(isNamed ? " named" : "")">
      <caption><span>Pictures by true class (rows) and predicted class (columns)\
      \(isNamed ? "" : "; columns have the numbers of the rows")</span></caption>
      <thead><tr><th scope="col">True</th>\(head)<th scope="col" class="sum">All</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      """
  }

  /// What became of the pictures under each finding where each is a question of its own.
  private func answers(_ counts: [MultiLabel.Counts]) -> String {
    let rows = zip(report.classNames, counts).map { name, count in
      let present = count.truePositive + count.falseNegative
      let absent = count.falsePositive + count.trueNegative
      return [
        name.escaped, Self.count(count.truePositive, of: present),
        Self.count(count.falseNegative, of: present),
        Self.count(count.falsePositive, of: absent), Self.count(count.trueNegative, of: absent),
      ]
    }
    return explanation(
      "What a yes at a probability above one half does; the percentages are shares of the pictures with the finding, and of "
        + "those without it."
    )
      + StackTable(
        caption: "Pictures by what is true and what the model says",
        columns: [
          .init(title: "Finding", kind: .text), .init(title: "Found"), .init(title: "Missed"),
          .init(title: "False alarms"), .init(title: "Rightly denied"),
        ], rows: rows
      ).html()
  }

  private static func count(_ count: Int, of total: Int) -> String {
    let share = total == 0 ? "none such" : MetricText.percent(Double(count) / Double(total))
    return "\(MetricText.count(count)) <small>\(share)</small>"
  }

  private func cell(_ count: Int, of total: Int, isRight: Bool) -> String {
    let style = isRight ? "right" : "wrong"
    if total == 0 { return "<td class=\"\(style)\">–</td>" }
    let share = Double(count) / Double(total)
    // Whole percents: the counts are exact, and narrow pages have no room.
    let percent = share > 0 && share < 0.005 ? "&lt;\u{A0}1" : MetricText.fixed(100 * share, 0)
    // At most 55 % of the color, so that the ink stays readable on light and on dark pages.
    let depth = MetricText.fixed(0.55 * share, 3)
    return """
      <td class="\(style)" style="--depth: \(depth)">\(MetricText.count(count))\
      <small>\(percent)\u{A0}%</small></td>
      """
  }
}
