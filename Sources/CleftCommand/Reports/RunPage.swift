import Foundation

/// A comparison of runs as one page of HTML that needs nothing but itself.
struct RunPage {
  let comparison: RunComparison
  let axis: RunAxis
  /// Numbers to draw; nil for the usual ones.
  var metrics: [String]?

  func html() -> String {
    let count = comparison.runs.count
    return HTMLPage(
      title: count == 1 ? "Run \(comparison.runs[0].name)" : "\(count) runs compared",
      style: RunCurve.css + RunChart.css + Self.css, header: "<p>\(states.escaped)</p>",
      sections: [table, charts, options, notes].filter { !$0.isEmpty }
    ).html()
  }

  private var states: String {
    let counts = Dictionary(grouping: comparison.runs, by: \.standing.text).mapValues(\.count)
    return counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") + "."
  }

  private var table: String {
    let rows = comparison.runs.enumerated().map { index, run in
      let cells = comparison.columns.indices.map { column in
        let text = comparison.cell(column: column, run: index)
        return
          "<td class=\"n\">\(comparison.isBest(column: column, run: index) ? "<b>\(text)</b>" : text)</td>"
      }.joined()
      return """
        <tr><td>\(RunCurve.sample(index))</td><td class="one">\(RunComparison.label(index))</td>\
        <th scope="row">\(run.name.escaped.replacing("_", with: "_<wbr/>"))</th><td class="one">\(run.standing.text)</td>\
        <td class="n">\(comparison.progress(run))</td><td class="n">\(comparison.epoch(run))</td>\(cells)</tr>
        """
    }.joined(separator: "\n")
    let head = ["", "", "run", "state", "step/of", "epoch"] + comparison.columns.map(\.title)
    let hasBest = comparison.columns.indices.contains { column in
      comparison.runs.indices.contains { comparison.isBest(column: column, run: $0) }
    }
    return "<section><h2>Numbers</h2>"
      + HTMLPage.table(hasBest ? "* the best of its column" : "Each run's numbers", head: head, body: rows)
      + "</section>"
  }

  /// The drawings: those of `metrics`, else the usual ones of which there are numbers.
  var figures: [String] {
    (metrics.map(chosen) ?? usual).map { $0.html() }.filter { !$0.isEmpty }
  }

  private var charts: String {
    let legend = comparison.runs.enumerated().map { index, run in
      "<li>\(RunCurve.sample(index)) \(RunComparison.label(index)) \(run.name.escaped)</li>"
    }.joined(separator: "\n")
    let without = comparison.runs.enumerated().filter { _, run in
      axis.place(of: Double(max(1, run.step)), in: run) == nil
    }.map { index, run in
      "<p>Not drawn: \(RunComparison.label(index)) \(run.name.escaped): \(axis.obstacle).</p>"
    }
    return """
      <section><h2>Curves</h2>
      <ul class="legend">\(legend)</ul>\(without.joined())
      \(figures.isEmpty ? "<p>No number to draw.</p>" : "<div class=\"charts\">\(figures.joined(separator: "\n"))</div>")
      </section>
      """
  }

  /// Names of all numbers of all runs.
  private var known: Set<String> { Set(comparison.runs.flatMap(\.metrics.series.keys)) }

  private var usual: [RunChart] {
    var charts = [chart("train_loss", isSmoothed: true), chart("val_loss")]
    let accuracies = known.filter { $0.hasPrefix("val_") && ($0.contains("acc1") || $0.contains("auc")) }
      .sorted()
    charts += accuracies.map { chart($0) }
    if accuracies.isEmpty { charts.append(chart("train_acc1", isSmoothed: true)) }
    return charts + [rate, chart("images_per_s", isSmoothed: true), chart("resident_mib")]
  }

  private func chosen(_ names: [String]) -> [RunChart] {
    names.map { name in
      name.hasPrefix("lr-")
        ? chart(name, mayBeLogarithmic: true)
        : chart(name, isSmoothed: name.hasPrefix("train_") || name.hasSuffix("_per_s"))
    }
  }

  private func chart(_ metric: String, isSmoothed: Bool = false, mayBeLogarithmic: Bool = false) -> RunChart {
    let curves = comparison.runs.enumerated().map { curve($0.offset, $0.element, metric) }
    return RunChart(
      title: Self.titles[metric] ?? metric, axis: axis, curves: curves, range: range, isSmoothed: isSmoothed,
      mayBeLogarithmic: mayBeLogarithmic)
  }

  /// From the start to the newest step of any run.
  private var range: ClosedRange<Double> {
    let ends = comparison.runs.compactMap { axis.place(of: Double($0.metrics.lastStep), in: $0) }
    return 0...max(ends.max() ?? 1, 1e-6)
  }

  /// The learning rate of each run's first parameter group, by whatever optimizer.
  private var rate: RunChart {
    let curves = comparison.runs.enumerated().map { index, run in
      let names = run.metrics.series.keys.filter { $0.hasPrefix("lr-") }
      return curve(index, run, names.min { $0.compare($1, options: .numeric) == .orderedAscending } ?? "")
    }
    let hasGroups = known.contains { $0.hasPrefix("lr-") && $0.contains("/") }
    return RunChart(
      title: hasGroups ? "Learning rate of the first parameter group" : "Learning rate", axis: axis,
      curves: curves, range: range, mayBeLogarithmic: true)
  }

  private func curve(_ index: Int, _ run: RunRecord, _ metric: String) -> RunCurve {
    let series = run.metrics.series[metric] ?? RunMetrics.Series()
    let points = zip(series.steps, series.values).compactMap { step, value in
      axis.place(of: step, in: run).map { (x: $0, y: value) }
    }
    return RunCurve(run: index, name: run.name, points: points)
  }

  private var options: String {
    let differences = comparison.differences
    if comparison.runs.count < 2 { return "" }
    if differences.isEmpty { return "<section><h2>Options</h2><p>The same in all runs.</p></section>" }
    let rows = differences.map { difference in
      let cells = difference.values.map { "<td class=\"value\">\(($0 ?? "–").escaped)</td>" }.joined()
      return "<tr><th scope=\"row\">\(difference.name.escaped)</th>\(cells)</tr>"
    }.joined(separator: "\n")
    return "<section><h2>Options</h2>"
      + HTMLPage.table(
        "Only those in which the runs differ",
        head: ["option"] + comparison.runs.indices.map(RunComparison.label), body: rows)
      + "</section>"
  }

  private var notes: String {
    let lines = comparison.notes
    if lines.isEmpty { return "" }
    return "<section><h2>Notes</h2><ul>\(lines.map { "<li>\($0.escaped)</li>" }.joined())</ul></section>"
  }

  private static let titles = [
    "train_loss": "Training loss", "val_loss": "Validation loss", "train_acc1": "Training accuracy, %",
    "val_acc1": "Validation accuracy, %", "val_acc5": "Validation accuracy in the first five, %",
    "images_per_s": "Images per second", "resident_mib": "Resident memory, MiB",
  ]

  private static let css = """

    .list td.n { width: auto } .list td.n, .list td.one { white-space: nowrap }
    .list th[scope=row] { white-space: normal; overflow-wrap: break-word; min-width: 12rem; max-width: 30rem }
    .list td.value { min-width: 4rem } li, p { overflow-wrap: anywhere } h2 { break-after: avoid }
    @media print { .list th[scope=row] { min-width: 5rem } .list svg.sample { width: 20px } }

    """
}
