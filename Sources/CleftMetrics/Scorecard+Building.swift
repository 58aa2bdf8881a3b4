extension Scorecard {
  /// Computes everything that can be said of a table of predictions.
  ///
  /// All numbers of the whole table are taken on the same draws of patients.
  ///
  /// - Parameters:
  ///   - test: the predictions to judge.
  ///   - validation: predictions of other samples by the same model, from which thresholds and temperature are chosen.
  ///     Nil: there are none.
  ///   - traits: what the samples are told apart by, a value a sample, nil where unknown.
  ///   - bootstrap: draws of patients for intervals. Nil: no intervals.
  public init(
    _ test: PredictionTable, validation: PredictionTable?, traits: [(name: String, values: [String?])],
    bootstrap: Bootstrap?
  ) {
    precondition(
      validation.map { $0.classCount == test.classCount && $0.question == test.question } ?? true,
      "scorecard: validation samples were asked something else than test samples")
    let scored = ScoredTable(test)
    let choices = ThresholdChoices(validation, classNames: test.classNames)
    let fit = validation.flatMap { TemperatureScaling.fit($0) }
    let entries = MetricCatalog.entries(for: test)
    let numbers = ClassNumbers(scored, choices: choices)
    let calibration = CalibrationNumbers(scored, temperature: fit?.temperature)

    var list = MeasurementList()
    let plain = list.add(.entries(entries.filter { !numbers.meanNames.contains($0.name) }, scored))
    let ofClasses = list.add(numbers.measurement)
    let errors = calibration.measurements.map { list.add($0) }
    let values = list.take(clusters: test.clusters, bootstrap: bootstrap)

    let means = numbers.meanNames.count
    let whole = values[plain] + values[ofClasses].prefix(means)
    let metrics = entries.compactMap { entry in whole.first { $0.name == entry.name } }
    let classes = Self.classCards(scored, numbers.cards(values[ofClasses].dropFirst(means)))
    let (subgroups, small) = Self.subgroups(test, traits: traits, bootstrap: bootstrap)
    self.init(
      count: test.count, clusterCount: Set(test.clusters).count, metrics: metrics,
      confusion: Self.confusion(scored), classes: classes,
      calibration: calibration.card(
        logLoss: metrics.first { $0.name == "log_loss" }, errors.flatMap { values[$0] }),
      subgroups: subgroups,
      warnings: Self.warnings(test, metrics: metrics, classes: classes) + choices.warnings
        + Self.temperatureWarnings(fit, validation) + small)
  }

  /// Each class against the rest.
  private static func classCards(
    _ scored: ScoredTable, _ numbers: [(areas: [MetricValue], thresholds: [ThresholdCard])]
  ) -> [ClassCard] {
    scored.table.classNames.enumerated().map { index, name in
      let counts = scored.counts[index]
      let ranked = scored.ranked[index]
      return ClassCard(
        name: name, positiveCount: counts.positive, negativeCount: counts.negative,
        unknownCount: counts.unknown, metrics: numbers[index].areas, roc: CurveThinning.thin(ranked.roc()),
        precisionRecall: CurveThinning.thin(ranked.precisionRecall()), thresholds: numbers[index].thresholds)
    }
  }

  /// Counts of samples, row = true class, column = predicted class.
  private static func confusion(_ scored: ScoredTable) -> [[Int]]? {
    let table = scored.table
    guard table.question == .oneOf else { return nil }
    let row = [Int](repeating: 0, count: table.classCount)
    var counts = [[Int]](repeating: row, count: table.classCount)
    for (own, answer) in zip(table.labels, scored.predictions) { counts[own[0]][answer] += 1 }
    return counts
  }

  private static func temperatureWarnings(
    _ fit: TemperatureScaling.Fit?, _ validation: PredictionTable?
  ) -> [String] {
    if let fit, fit.isAtLimit {
      return [
        "temperature: the validation samples' log-loss is least beyond \(fit.temperature), the limit; "
          + "probabilities at that temperature mean little"
      ]
    }
    return validation != nil && fit == nil
      ? ["temperature: no validation sample could be used, so none was fitted"] : []
  }
}
