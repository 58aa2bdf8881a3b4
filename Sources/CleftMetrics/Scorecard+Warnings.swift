import Foundation

extension Scorecard {
  /// An AUC below this is more likely a mistake than a bad model.
  private static let invertedBelow = 0.3
  /// Samples of either kind from which on it is said.
  private static let leastOfEach = 20

  /// What is odd about the numbers of a table.
  static func warnings(_ test: PredictionTable, metrics: [MetricValue], classes: [ClassCard]) -> [String] {
    let bad = (0..<test.count).count { row in
      test.logits[row * test.classCount..<(row + 1) * test.classCount].contains { !$0.isFinite }
    }
    var warnings =
      bad == 0
      ? []
      : ["\(bad) of \(test.count) samples have scores that are no numbers: what they count for is undefined"]
    warnings += inverted(test, metrics: metrics, classes: classes)
    for card in classes where test.count > 0 {
      if card.positiveCount == 0 {
        warnings.append("no sample has '\(card.name)': its numbers are undefined")
      } else if card.negativeCount == 0 {
        warnings.append("every sample has '\(card.name)': its AUC is undefined")
      }
    }
    return warnings
  }

  /// AUCs that are below 0.3 over enough samples.
  private static func inverted(
    _ test: PredictionTable, metrics: [MetricValue], classes: [ClassCard]
  ) -> [String] {
    func warning(_ value: MetricValue?, _ name: String) -> String? {
      guard let auc = value?.value, auc < invertedBelow else { return nil }
      // Rounded down, so that 0.299 is not said to be 0.30.
      let text = String(format: "%.2f", (auc * 100).rounded(.down) / 100)
      return "AUC \(text)\(name) is below \(invertedBelow): a sign or a pair of prompts is probably inverted"
    }
    let large = classes.filter { min($0.positiveCount, $0.negativeCount) >= leastOfEach }
    let overall =
      large.isEmpty || classes.count == 1 ? nil : warning(metrics.first { $0.name == "auc" }, "")
    // Of two classes that exclude each other both are the overall number.
    let isOneQuestion = test.question == .oneOf && test.classCount == 2
    let each =
      isOneQuestion
      ? []
      : large.compactMap { card in warning(card.metrics.first { $0.name == "auc" }, " of '\(card.name)'") }
    return (overall.map { [$0] } ?? []) + each
  }
}
