import CleftData
import CleftMetrics
import CleftTraining

extension EvaluationRun.Outcome {
  /// The published program's names for what a test found, in percent, and the loss of a classifier.
  ///
  /// The scores of each class go to the log, for their precision–recall curves.
  func published(_ options: TrainOptions, _ log: RunLog) throws -> [String: Double] {
    let (table, scores) = (scored.parts[0].table, report.scores[0])
    try recordCurves(step: options.stepLimit, table, log)
    var values: [String: Double] = [:]
    values["test_auc"] = scores.auc.map { 100 * $0 }
    let isClassifier = scored.parts[0].prompts == nil
    if isClassifier { values["test_loss"] = scores.card.metric("log_loss")?.value }
    guard table.question == .oneOf else {
      values["test_acc"] = scores.accuracy.map { 100 * $0 }
      return values
    }
    values["test_acc1"] = mean(table, 1, options)
    if isClassifier {
      values["test_acc2"] = mean(table, 2, options)
      if options.quirks.has(.acc5Names) { values["test_auc"] = values["test_acc2"] }
    }
    return values
  }

  /// Share of pictures whose class is among the `k` that win, in percent, as the published program takes means.
  private func mean(_ table: PredictionTable, _ k: Int, _ options: TrainOptions) -> Double? {
    let hits = table.labels.indices.map { row in
      let scores = table.logits[row * table.classCount..<(row + 1) * table.classCount].map { Float($0) }
      return 100 * (Classification.accuracy(scores: [scores], labels: [table.labels[row][0]], k: k) ?? 0)
    }
    return EvaluationMean.of(
      hits, batchSize: EvalRun.batchSize, countsBatchesAlike: options.quirks.has(.batchMeans))
  }

  private func recordCurves(step: Int, _ table: PredictionTable, _ log: RunLog) throws {
    let probabilities = table.probabilities()
    for (column, name) in table.classNames.enumerated() {
      let curve = ClassScores(
        name: name,
        scores: (0..<table.count).map { Float(probabilities[$0 * table.classCount + column]) },
        isPositive: table.labels.map { $0.contains(column) })
      try log.curve(step: step, "test/\(name)", curve)
    }
  }
}
