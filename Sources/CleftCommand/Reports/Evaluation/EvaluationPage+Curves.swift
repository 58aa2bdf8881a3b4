import CleftMetrics
import CleftTraining
import Foundation

/// ROC curves and precision over recall: all classes in one drawing each, or a pair of small ones a class.
extension EvaluationPage {
  /// More classes have drawings of their own: colors would repeat.
  private static let togetherLimit = 8

  var rankingCurves: String {
    guard let card, !card.classes.isEmpty else { return "" }
    let drawn = card.classes.enumerated().filter {
      !$0.element.roc.isEmpty || !$0.element.precisionRecall.isEmpty
    }
    let without = card.classes.filter { $0.roc.isEmpty && $0.precisionRecall.isEmpty }.map(\.name)
    let missing =
      without.isEmpty
      ? ""
      : "<p>No curves, because all known pictures have them or none does: \(without.joined(separator: ", ").escaped).</p>"
    if drawn.isEmpty { return missing }
    let figures =
      drawn.count > Self.togetherLimit
      ? "<div class=\"panels\">\(drawn.map { panel($0.element) }.joined(separator: "\n"))</div>"
      : together(drawn.map { ($0.offset, $0.element) })
    return explanation(
      "ROC: how many cases each threshold finds at the price of how many false alarms (broken line: guessing). Precision "
        + "and recall: how many of its alarms are right as it finds more. The nearer to the upper edge, the better."
    ) + figures + missing
  }

  private func together(_ classes: [(index: Int, card: ClassCard)]) -> String {
    let roc = ShareChart(
      label: "ROC curves of all classes", horizontal: "false positives, %", vertical: "true positives, %")
    let recall = ShareChart(
      label: "Precision over recall of all classes", horizontal: "recall, %", vertical: "precision, %")
    let legend = classes.map { index, card in
      let numbers = card.metrics.map { metric in
        "\(metric.title) \(metric.value.map { MetricText.number($0, metric.name) } ?? "undefined")"
      }
      return """
        <li>\(RunCurve.sample(index))<span>\(card.name.escaped) \
        <small>\(numbers.joined(separator: " · ").escaped)</small></span></li>
        """
    }
    let left = classes.map { roc.curve($1.roc, RunCurve.attributes($0), title: $1.name) }
    let right = classes.map {
      recall.curve($1.precisionRecall, RunCurve.attributes($0), title: $1.name)
    }
    return """
      <div class="pair">
      <figure class="share"><figcaption>ROC</figcaption>\(roc.svg([diagonal(roc)] + left))</figure>
      <figure class="share"><figcaption>Precision and recall</figcaption>\(recall.svg(right))</figure>
      </div><ul class="legend">\(legend.joined(separator: "\n"))</ul>
      """
  }

  private func panel(_ card: ClassCard) -> String {
    let roc = ShareChart(
      label: "ROC curve of \(card.name)", horizontal: "false positives, %", vertical: "true positives, %",
      width: 168, height: 168)
    let recall = ShareChart(
      label: "Precision over recall of \(card.name)", horizontal: "recall, %", vertical: "precision, %",
      width: 168, height: 168)
    let known = card.positiveCount + card.negativeCount
    let share = known == 0 ? 0 : Double(card.positiveCount) / Double(known)
    let base = recall.line(recall.x(0), recall.y(share), recall.x(1), recall.y(share), "chance")
    let numbers = card.metrics.map { metric in
      "\(metric.title) \(metric.value.map { MetricText.number($0, metric.name) } ?? "undefined")"
    }.joined(separator: " · ")
    return """
      <figure class="panel"><figcaption><b>\(card.name.escaped)</b> <small>\(numbers.escaped)</small></figcaption>
      <div>\(roc.svg([diagonal(roc), roc.curve(card.roc, "class=\"c0\"", title: card.name)]))
      \(recall.svg([base, recall.curve(card.precisionRecall, "class=\"c0\"", title: card.name)]))
      </div></figure>
      """
  }

  private func diagonal(_ chart: ShareChart) -> String {
    chart.line(chart.x(0), chart.y(0), chart.x(1), chart.y(1), "chance")
  }

  /// Drawings of the training.
  var training: String {
    if curves.isEmpty { return "" }
    return explanation(
      "How the model became what it is; the last points are those that were evaluated if nothing else is said."
    )
      + "<div class=\"charts\">\(curves.joined(separator: "\n"))</div>"
  }
}
