import CleftMetrics
import CleftTraining
import Foundation

/// Whether probabilities come true as often as they say.
extension EvaluationPage {
  var calibration: String {
    guard let card = card?.calibration, !card.bins.isEmpty else { return "" }
    var figures = [reliability("As the model says them", card.bins, "c0")]
    if let temperature = card.temperature, !card.scaledBins.isEmpty {
      figures.append(
        reliability("Divided by the temperature \(MetricText.fixed(temperature, 3))", card.scaledBins, "c1"))
    }
    let subject =
      report.question == .oneOf ? "the probability of the class it says" : "the probability of a finding"
    let scaled =
      card.temperature == nil
      ? "No temperature was fitted. \(MetricText.line(report.validation))"
      : "The temperature is fitted on other pictures. \(MetricText.line(report.validation))"
    return explanation(
      "Of pictures to which the model gives 80 % about 80 of 100 should be right; points below the broken line mean that "
        + "it is too sure. Drawn over \(subject); the bars below count the answers. \(scaled)"
    ) + "<div class=\"pair\">\(figures.joined(separator: "\n"))</div>" + numbers(card.metrics)
  }

  private func numbers(_ metrics: [MetricValue]) -> String {
    if metrics.isEmpty { return "" }
    return StackTable(
      caption: "Calibration of all pictures",
      columns: [.init(title: "Number", kind: .text), .init(title: "Value", kind: .metric)],
      rows: metrics.map { [$0.title.escaped, StackTable.cell($0, showsChance: true)] }
    ).html()
  }

  private func reliability(_ title: String, _ bins: [ReliabilityBin], _ color: String) -> String {
    let chart = ShareChart(
      label: "Reliability: \(title)", horizontal: "probability, %", vertical: "came true, %",
      height: 420, below: 90)
    let most = Double(max(1, bins.map(\.count).max() ?? 1))
    let floor = 402.0
    let bars = bins.map { bin in
      let (from, to) = (chart.x(bin.lower) + 1, chart.x(bin.upper) - 1)
      let tall = max(1, 56 * Double(bin.count) / most)
      let text = Self.short(bin.count)
      let number =
        6.4 * Double(text.count) <= to - from + 6
        ? chart.text((from + to) / 2, floor - tall - 4, text, "middle") : ""
      return """
        <rect class="\(color) count" x="\(ShareChart.text(from))" y="\(ShareChart.text(floor - tall))" \
        width="\(ShareChart.text(max(1, to - from)))" height="\(ShareChart.text(tall))">\
        <title>\(bin.count)</title></rect>\(number)
        """
    }
    let points = bins.map { CurvePoint($0.meanProbability, $0.observedShare) }
    let line = chart.curve(points, "class=\"\(color)\"", title: title)
    let dots = zip(bins, points).map { bin, point in
      """
      <circle class="\(color)" cx="\(ShareChart.text(chart.x(point.x)))" cy="\(ShareChart.text(chart.y(point.y)))" \
      r="4"><title>\(MetricText.count(bin.count)): said \(MetricText.percent(point.x)), came true \
      \(MetricText.percent(point.y))</title></circle>
      """
    }
    let ground = chart.line(chart.x(0), floor, chart.x(1), floor, "grid")
    let name = chart.text(
      (chart.x(0) + chart.x(1)) / 2, floor + 14, report.question == .oneOf ? "pictures" : "answers", "middle")
    let ideal = chart.line(chart.x(0), chart.y(0), chart.x(1), chart.y(1), "chance")
    return """
      <figure class="share"><figcaption>\(title.escaped)</figcaption>\
      \(chart.svg([ideal, line] + dots + bars + [ground, name]))</figure>
      """
  }

  /// `950`, `1.2k`, `34k`.
  private static func short(_ count: Int) -> String {
    if count < 1000 { return "\(count)" }
    return count < 9950 ? String(format: "%.1fk", Double(count) / 1000) : "\((count + 500) / 1000)k"
  }
}
