import CleftData
import CleftMetrics
import CleftTraining
import Foundation

/// An evaluation as one page of HTML that needs nothing but itself.
struct EvaluationPage {
  let report: EvaluationReport
  /// Best and worst pictures, in the order of the page.
  let examples: [PageExample]
  /// Finished drawings of the training.
  let curves: [String]

  init(report: EvaluationReport, figures: PageFigures?) {
    var report = report
    if let date = figures?.date { report.provenance.append(.init("machine", "date", date)) }
    self.report = report
    (examples, curves) = (figures?.examples ?? [], figures?.curves ?? [])
  }

  /// A part of the page.
  struct Section {
    /// Its address within the page.
    let id: String
    let title: String
    /// HTML below the heading; a section without any is left out.
    let body: String
  }

  func html() -> String {
    let sections = sections.filter { !$0.body.isEmpty }
    let links = sections.map { "<a href=\"#\($0.id)\">\($0.title.escaped)</a>" }.joined(separator: "\n")
    return HTMLPage(
      title: "\(report.dataset): evaluation", style: EvaluationPageStyle.css,
      header: header + "<nav aria-label=\"Sections\">\(links)</nav>",
      sections: sections.map {
        "<section id=\"\($0.id)\"><h2>\($0.title.escaped)</h2>\n\($0.body)\n</section>"
      }
    ).html()
  }

  private var sections: [Section] {
    let numbers = [
      Section(id: "headline", title: "Headline", body: headline),
      Section(id: "prompt-sets", title: "Prompt sets", body: promptSets),
      Section(id: "classes", title: "Classes", body: classTable),
      Section(id: "curves", title: "ROC and precision–recall", body: rankingCurves),
      Section(id: "confusion", title: "Confusion matrix", body: confusion),
      Section(id: "thresholds", title: "Thresholds", body: thresholds),
      Section(id: "calibration", title: "Calibration", body: calibration),
      Section(id: "subgroups", title: "Subgroups", body: subgroups),
      Section(id: "comparison", title: "Comparison", body: comparison),
      Section(id: "retrieval", title: "Retrieval", body: retrieval),
    ]
    return numbers + [
      Section(id: "training", title: "Training", body: training),
      Section(id: "pictures", title: "Best and worst pictures", body: pictures),
      Section(id: "prompts", title: "Prompts, word for word", body: prompts),
      Section(id: "skipped", title: "Rows left out", body: skippedRows),
      Section(id: "provenance", title: "Provenance", body: provenance),
    ]
  }

  /// The scores that the page is about.
  var main: PromptScores? { report.scores.first }

  /// The card of these scores.
  var card: Scorecard? { main?.card }

  /// A sentence that says what a section shows.
  func explanation(_ text: String) -> String { "<p class=\"what\">\(text.escaped)</p>" }

  private var header: String {
    let classes = MetricText.count(report.classNames.count, report.question == .oneOf ? "class" : "finding")
    let question =
      report.question == .oneOf
      ? "Which one of \(report.classNames.count) classes does a picture show?"
      : "Does a picture show a finding or not? Asked of each of \(classes) by itself."
    var counts = [MetricText.count(report.count, "picture")]
    if let card { counts.append("of \(MetricText.count(card.clusterCount, "patient"))") }
    return """
      <p class="lead">\(counts.joined(separator: " ").escaped). \(question.escaped)</p>
      <p class="source">\(sources.escaped)</p>
      """
  }

  /// Which model and which table, for those who have many pages open.
  private var sources: String {
    let model = report.provenance.first { $0.part == "model" && $0.name == "path" }?.value
    return [model.map { "Model: \($0)" }, "Test set: \(report.table)"].compactMap { $0 }.joined(
      separator: " · ")
  }

  // MARK: Headline

  /// Numbers that stand out, if the card has them.
  private static let mainNames = ["accuracy", "balanced_accuracy", "auc", "average_precision"]

  private var headline: String {
    guard let card else { return callouts + "<p>Nothing was scored.</p>" }
    let named = Self.mainNames.compactMap(card.metric)
    let large = named.isEmpty ? Array(card.metrics.prefix(4)) : named
    let rest = card.metrics.filter { metric in !large.contains { $0.name == metric.name } }
    let hasIntervals = card.metrics.contains { $0.interval != nil }
    let explained =
      hasIntervals
      ? "In brackets: 95 % intervals over patients drawn anew. The tick on a line is what guessing gives."
      : "No intervals were computed. The tick on a line is what guessing gives."
    return """
      \(callouts)
      <div class="tiles">\(large.map(tile).joined(separator: "\n"))</div>
      \(explanation(explained))
      \(further(rest))
      """
  }

  private func tile(_ metric: MetricValue) -> String {
    let value =
      metric.value.map { "<span class=\"big\">\(MetricText.number($0, metric.name))</span>" }
      ?? "<span class=\"big undefined\">undefined</span>"
    let reach = metric.interval.map { "95\u{A0}% interval \(MetricText.interval($0, metric.name))" } ?? ""
    let chance = metric.chance.map { "chance \(MetricText.number($0, metric.name))" } ?? ""
    let plot =
      metric.value == nil || !MetricText.isShare(metric.name)
      ? "" : IntervalPlot(value: metric.value, interval: metric.interval, mark: metric.chance).svg()
    return """
      <div class="tile"><h3>\(metric.title.escaped)</h3>\(value)<div>\(plot)</div>\
      <p class="beside"><span>\(reach)</span><span>\(chance)</span></p>\
      <p class="note">\((metric.note ?? "").escaped)</p></div>
      """
  }

  private func further(_ metrics: [MetricValue]) -> String {
    if metrics.isEmpty { return "" }
    let rows = metrics.map { metric in
      [
        metric.title.escaped, StackTable.cell(metric),
        metric.chance.map { MetricText.number($0, metric.name) } ?? "–",
      ]
    }
    return StackTable(
      caption: "Further numbers of all pictures",
      columns: [
        .init(title: "Number", kind: .text), .init(title: "Value", kind: .metric), .init(title: "Chance"),
      ],
      rows: rows
    ).html()
  }

  private var callouts: String {
    var warnings = card?.warnings ?? []
    for scores in report.scores.dropFirst() {
      warnings += scores.card.warnings.map { "Prompts ‘\(scores.prompts)’: \($0)" }
    }
    let notes = report.notes.filter { !warnings.contains($0) }
    let parts =
      warnings.map { "<li class=\"warning\"><b>Warning</b> \(MetricText.line($0).escaped)</li>" }
      + notes.map { "<li><b>Note</b> \(MetricText.line($0).escaped)</li>" }
    return parts.isEmpty ? "" : "<ul class=\"callouts\">\(parts.joined(separator: "\n"))</ul>"
  }
}
