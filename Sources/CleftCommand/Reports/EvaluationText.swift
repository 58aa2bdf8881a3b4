import CleftMetrics
import CleftTraining
import Foundation

/// An evaluation as lines for a terminal: the published ones, then every number with its interval and chance level.
struct EvaluationText {
  let report: EvaluationReport
  /// How the pictures were scored: `zero-shot`.
  let title: String

  init(_ report: EvaluationReport, _ title: String) { (self.report, self.title) = (report, title) }

  var text: String {
    let patients = report.scores[0].card.clusterCount
    let of = patients == report.count ? "" : " of \(patients) patients"
    let chance = 1 / Double(max(1, report.classNames.count))
    let guess = report.question == .oneOf ? "; chance \(ScoreText.percent(chance)) %" : ""
    var lines = ["\(report.dataset): \(report.count) pictures\(of), \(title)\(guess)"]
    for scores in report.scores {
      if !scores.texts.isEmpty { lines.append("prompts: \(scores.prompts)") }
      lines += scores.confusion.map { ScoreText.confusion($0, report.classNames) } ?? []
      lines += scores.counts.map(counts) ?? []
      lines += ScoreText.scores(accuracy: scores.accuracy, auc: scores.auc)
      lines += table(scores.card.metrics + calibration(scores.card))
      if report.question == .each || report.classNames.count > 2 { lines += classes(scores.card) }
    }
    if let retrieval = report.retrieval {
      lines +=
        ["captions and pictures found by each other, \(retrieval.count) pairs:"]
        + table(retrieval.metrics)
    }
    if let comparison = report.comparison { lines += differences(comparison) }
    return lines.joined(separator: "\n")
  }

  /// What became of the pictures under each class, in the place of a confusion matrix.
  private func counts(_ counts: [MultiLabel.Counts]) -> [String] {
    let rows = counts.map { [$0.truePositive, $0.falseNegative, $0.falsePositive, $0.trueNegative] }
    return ["### Confusion Matrix: (row = class, column = found, missed, taken for it, rightly not)"]
      + zip(ScoreText.matrix(rows), report.classNames).map { "\($0) \($1)" }
  }

  /// The errors of calibration, which stand beside the other numbers here.
  private func calibration(_ card: Scorecard) -> [MetricValue] {
    card.calibration.metrics.filter { metric in !card.metrics.contains { $0.name == metric.name } }
  }

  private func table(_ metrics: [MetricValue]) -> [String] {
    lines(
      ["", "", "95 % interval", "chance", ""],
      metrics.map { metric in
        [
          metric.title, ScoreText.value(metric.value, metric.name),
          metric.interval.map {
            "\(ScoreText.value($0.lower, metric.name)) – \(ScoreText.value($0.upper, metric.name))"
          } ?? "–", metric.chance.map { ScoreText.value($0, metric.name) } ?? "–", metric.note ?? "",
        ]
      })
  }

  private func classes(_ card: Scorecard) -> [String] {
    guard let names = card.classes.first?.metrics else { return [] }
    let head = ["class", "with", "without"] + names.map(\.title)
    let rows = card.classes.map { one in
      [one.name, "\(one.positiveCount)", "\(one.negativeCount)"]
        + one.metrics.map { metric in
          let interval = metric.interval.map {
            " (\(ScoreText.value($0.lower, metric.name)) – \(ScoreText.value($0.upper, metric.name)))"
          }
          return ScoreText.value(metric.value, metric.name) + (interval ?? "")
        }
    }
    return lines(head, rows)
  }

  private func differences(_ comparison: ComparisonReport) -> [String] {
    ["beside \(comparison.other), \(comparison.count) pictures:"]
      + lines(
        ["", "here", "there", "difference", "95 % interval", "p"],
        comparison.differences.map { one in
          func value(_ number: Double?) -> String { ScoreText.value(number, one.name) }
          func difference(_ number: Double?) -> String { ScoreText.difference(number, one.name) }
          return [
            one.title, value(one.value), value(one.other), difference(one.difference),
            one.interval.map { "\(difference($0.lower)) … \(difference($0.upper))" } ?? "–",
            one.p.map { MetricText.p($0).replacing("\u{A0}", with: " ") } ?? "–",
          ]
        })
  }

  /// Columns under each other, the first and an untitled last one at the left.
  private func lines(_ head: [String], _ rows: [[String]]) -> [String] {
    let titles = head.enumerated().map { index, title in
      (title: title, isRight: index > 0 && !(title.isEmpty && index == head.count - 1))
    }
    return TextTable(head: titles, rows: rows, fixedCount: 1).lines(width: RunText.terminalWidth).map {
      "  " + $0
    }
  }
}
