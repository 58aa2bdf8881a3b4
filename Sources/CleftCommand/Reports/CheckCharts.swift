import CleftData
import Foundation

/// The drawings and tables of a check's page.
enum CheckCharts {
  /// One bar of a chart.
  struct Bar {
    let name: String
    let count: Int
    /// Drawn in the color of a warning.
    var isMarked = false
  }

  private static let line = 20
  private static let barRoom = 220.0

  /// Horizontal bars with their names and numbers.
  static func bars(_ title: String, _ bars: [Bar], total: Int) -> String {
    let left = 12 + 8 * (bars.map(\.name.count).max() ?? 0)
    let width = left + Int(barRoom) + 120
    let height = bars.count * line + 4
    let most = Double(max(1, bars.map(\.count).max() ?? 1))
    let drawn = bars.enumerated().map { index, bar in
      let length = bar.count == 0 ? 0 : max(1, barRoom * Double(bar.count) / most)
      let share = total == 0 ? 0 : 100 * Double(bar.count) / Double(total)
      let y = index * line + 2
      return """
        <text x="\(left - 6)" y="\(y + 13)" text-anchor="end">\(bar.name.escaped)</text>\
        <rect class="\(bar.isMarked ? "bar marked" : "bar")" x="\(left)" y="\(y + 1)" \
        width="\(String(format: "%.1f", length))" height="\(line - 5)" rx="2"/>\
        <text class="n" x="\(left + Int(length) + 6)" y="\(y + 13)">\(bar.count) \
        (\(String(format: "%.1f", share)) %)</text>
        """
    }.joined(separator: "\n")
    return """
      <figure class="chart"><figcaption>\(title.escaped)</figcaption>
      <svg role="img" aria-label="\(title.escaped)" viewBox="0 0 \(width) \(height)" width="\(width)" \
      height="\(height)" font-size="12" font-family="sans-serif" fill="currentColor">
      \(drawn)
      </svg></figure>
      """
  }

  /// Classes that come together, as a table whose cells are shaded by the share of the row's class.
  static func together(_ labels: LabelStatistics) -> String {
    if labels.classNames.count < 2 { return "" }
    let head = labels.classNames.enumerated().map { number, name in
      "<th scope=\"col\"><abbr title=\"\(name.escaped)\">\(number)</abbr></th>"
    }.joined()
    let rows = labels.classNames.enumerated().map { row, name in
      let cells = labels.classNames.indices.map { cell(labels, row, $0) }.joined()
      return "<tr><th scope=\"row\">\(row) \(name.escaped)</th>\(cells)</tr>"
    }.joined(separator: "\n")
    return """
      <div class="wide"><table class="heat">
      <caption>Rows with both classes; shaded by the share of the rows of the class on the left</caption>
      <thead><tr><td></td>\(head)</tr></thead>
      <tbody>\(rows)</tbody></table></div>
      """
  }

  private static func cell(_ labels: LabelStatistics, _ row: Int, _ column: Int) -> String {
    let count = labels.together[row][column]
    if row == column { return "<td class=\"own\">\(count)</td>" }
    // At most 60 % of the color, so that the ink stays readable on light and on dark pages.
    let percent = 60 * count / max(1, labels.counts[row])
    return percent == 0
      ? "<td>\(count)</td>" : "<td style=\"background: rgb(70 140 220 / \(percent)%)\">\(count)</td>"
  }
}

/// How a check's page looks beyond what all pages have in common.
enum CheckPageStyle {
  static let css = """

    .verdict { font-size: 1.05rem } .good strong { color: var(--good) }
    .bad strong, span.bad { color: var(--bad) } span.warning { color: var(--warn) }
    span.bad, span.warning { font-weight: 600 }
    .columns { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start }
    .facts { flex: 1 1 22rem; max-width: 40rem } .facts th { font-weight: 400; color: var(--soft) }
    .chart { margin: 0; overflow-x: auto } .chart figcaption { color: var(--soft); padding-bottom: .3rem }
    .bar { fill: var(--bar) } .marked { fill: var(--bad) }
    .heat { margin-top: .5rem } .heat th, .heat td { white-space: nowrap; overflow-wrap: normal }
    .heat td, .heat thead th { text-align: right; min-width: 2.6rem }
    .heat td.own { background: var(--panel); font-weight: 600 } abbr { text-decoration: none }
    details { margin: .4rem 0 } summary { cursor: pointer }
    details caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
    .groups { display: flex; flex-wrap: wrap; gap: 0 2rem }
    .pictures { display: flex; flex-wrap: wrap; gap: .8rem }
    .pictures figure { margin: 0; width: 168px }
    .pictures img { display: block; width: 168px; height: 168px; background: #000 }
    .pictures figcaption { font-size: .85rem; padding-top: .2rem; overflow-wrap: anywhere }
    small { display: block; color: var(--soft) }

    """
}
