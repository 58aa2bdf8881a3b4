import CleftMetrics
import Foundation

/// A table whose rows become blocks, one cell below the other, where the page is narrow.
struct StackTable {
  /// A column.
  struct Column {
    enum Kind: String {
      /// Text from the left.
      case text = "t"
      /// Numbers from the right.
      case number = "n"
      /// A number with its interval, drawn and written.
      case metric = "m"
    }

    let title: String
    var kind = Kind.number
    /// What guessing gives in every row; empty where there is no such number, or another one in each row.
    var chance = ""
  }

  let caption: String
  /// The first one names the row.
  let columns: [Column]
  /// Cells as HTML, each row as long as `columns`.
  let rows: [[String]]

  /// Much beside each other is drawn one above the other; little is not drawn out over the whole page.
  private var look: String {
    let count = columns.count { $0.kind == .metric }
    return count > 3 ? " dense" : count == 1 ? " short" : ""
  }

  func html() -> String {
    let head = columns.map {
      """
      <th scope="col" role="columnheader" class="\($0.kind.rawValue)">\($0.title.escaped)\
      \($0.chance.isEmpty ? "" : "<small>\($0.chance)</small>")</th>
      """
    }.joined()
    // A row that turns into a block would no more be one to a screen reader, did it not say so.
    let body = rows.map { "<tr role=\"row\">\(cells($0))</tr>" }.joined(separator: "\n")
    return """
      <table class="stack\(look)" role="table"><caption>\(caption.escaped)</caption>
      <thead role="rowgroup"><tr role="row">\(head)</tr></thead>
      <tbody role="rowgroup">\(body)</tbody></table>
      """
  }

  private func cells(_ row: [String]) -> String {
    zip(columns, row).enumerated().map { index, cell in
      let (column, text) = cell
      if index == 0 { return "<th scope=\"row\" role=\"rowheader\">\(text)</th>" }
      return """
        <td role="cell" class="\(column.kind.rawValue)" data-label="\(column.title.escaped)">\(text)</td>
        """
    }.joined()
  }

  /// A number with its interval, drawn if it is a share, and written; an undefined one with its reason.
  ///
  /// - Parameter showsChance: whether what guessing gives is written too, and not elsewhere.
  static func cell(_ metric: MetricValue?, showsChance: Bool = false) -> String {
    guard let metric else { return "<span class=\"none\">–</span>" }
    guard let value = metric.value else {
      let reason = metric.note.map { "<small>\($0.escaped)</small>" } ?? ""
      return "<span class=\"undefined\">undefined</span>\(reason)"
    }
    let plot =
      MetricText.isShare(metric.name)
      ? IntervalPlot(value: value, interval: metric.interval, mark: metric.chance).svg() : ""
    let reach = metric.interval.map { MetricText.interval($0, metric.name) } ?? ""
    let note = metric.note.map { "<small>\($0.escaped)</small>" } ?? ""
    let chance = showsChance ? Self.chance(metric) : ""
    return """
      <div class="metric">\(plot)<b>\(MetricText.number(value, metric.name))</b>\
      <span class="reach">\(reach)</span>\
      \(chance.isEmpty ? "" : "<span class=\"guess\">\(chance)</span>")</div>\(note)
      """
  }

  /// `chance 50.0 %`; empty where there is no such number.
  static func chance(_ metric: MetricValue) -> String {
    metric.chance.map { "chance\u{A0}\(MetricText.number($0, metric.name))" } ?? ""
  }
}
