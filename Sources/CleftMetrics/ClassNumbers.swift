/// The catalogue's means over classes and, if asked for, the areas of each class, with what thresholds give.
///
/// Every class is gone through once a draw for all of them.
struct ClassNumbers {
  /// A probability says yes of itself from here on: just above 1/2.
  private static let yesFrom = 0.5.nextUp

  /// Names of the means.
  let meanNames: [String]
  /// The numbers: the means, then class by class.
  let measurement: Measurement
  private let choices: [[ThresholdChoices.Choice]]

  /// Without `choices` there are only the means.
  init(_ scored: ScoredTable, choices: ThresholdChoices?) {
    let table = scored.table
    // Of two classes that a sample has one of, the first only mirrors the second.
    let columns = MetricCatalog.columns(table)
    let classes = choices == nil ? columns : 0..<table.classCount
    let chosen = classes.map { choices?.ofClass[$0] ?? [] }
    let entries =
      [MetricCatalog.auc, MetricCatalog.averagePrecision]
      + (table.question == .each ? [MetricCatalog.f1] : [])
    let reason = Measurement.reason(table)
    var items = entries.map { Measurement.Item($0, scored, reason: reason) }
    let wholes = entries.map { $0.ofClasses?(scored, nil) ?? [] }
    if choices != nil { items += classes.flatMap { Self.items(scored, $0, chosen[$0]) } }
    let sweeps = zip(classes, chosen).map { index, choices in
      ClassSweep(scored, class: index, thresholds: choices.map(\.threshold) + [Self.yesFrom])
    }
    let keepsClasses = choices != nil
    let averaged = (columns.lowerBound - classes.lowerBound)..<classes.count
    (self.choices, meanNames) = (chosen, entries.map(\.name))
    measurement = Measurement(items: items) { weights in
      let results: [ClassSweep.Result?]
      let means: [Double?]
      if let weights {
        results = sweeps.map { $0.run(weights) }
        means = Self.means(results[averaged], keeping: wholes)
      } else {
        results = keepsClasses ? zip(classes, chosen).map { Self.whole(scored, $0, $1) } : []
        means = wholes.map(MetricCatalog.mean)
      }
      if !keepsClasses { return means }
      return means + zip(results, chosen).flatMap { Self.values($0, thresholdCount: $1.count) }
    }
  }

  /// Means over classes of AUC, average precision and F1, as many as there are over the whole table.
  private static func means(
    _ results: ArraySlice<ClassSweep.Result?>, keeping wholes: [[Double?]]
  ) -> [Double?] {
    let values = [
      results.map { $0?.auc }, results.map { $0?.averagePrecision }, results.map { $0?.counts.last?.f1 },
    ]
    return zip(values, wholes).map { MetricCatalog.mean($0, keeping: $1) }
  }

  /// Cards of thresholds and areas of each class, from the numbers without the means.
  func cards(_ values: ArraySlice<MetricValue>) -> [(areas: [MetricValue], thresholds: [ThresholdCard])] {
    var rest = values
    return choices.map { choices in
      let areas = Array(rest.prefix(2))
      rest = rest.dropFirst(2)
      let cards = choices.map { choice in
        defer { rest = rest.dropFirst(4) }
        return ThresholdCard(
          rule: choice.rule.rawValue, threshold: choice.threshold, validationValue: choice.value,
          metrics: Array(rest.prefix(4)))
      }
      return (areas, cards)
    }
  }

  /// The numbers of a class without weights.
  private static func whole(
    _ scored: ScoredTable, _ index: Int, _ choices: [ThresholdChoices.Choice]
  ) -> ClassSweep.Result? {
    let ranked = scored.ranked[index]
    guard ranked.totals(nil) != nil else { return nil }
    return ClassSweep.Result(
      auc: ranked.auc(), averagePrecision: ranked.averagePrecision(),
      counts: choices.compactMap { ranked.counts(threshold: $0.threshold) })
  }

  /// Areas, then four numbers of each threshold.
  private static func values(_ result: ClassSweep.Result?, thresholdCount: Int) -> [Double?] {
    guard let result, result.counts.count >= thresholdCount else {
      return [result?.auc, result?.averagePrecision] + [Double?](repeating: nil, count: 4 * thresholdCount)
    }
    return [result.auc, result.averagePrecision]
      + result.counts.prefix(thresholdCount).flatMap {
        [$0.sensitivity, $0.specificity, $0.precision, $0.f1]
      }
  }

  /// What the numbers of a class are called; the chance of a threshold's is that of as many yeses given at random.
  private static func items(
    _ scored: ScoredTable, _ index: Int, _ choices: [ThresholdChoices.Choice]
  ) -> [Measurement.Item] {
    let ranked = scored.ranked[index]
    let invalid = ranked.totals(nil) == nil ? "a score is no number" : nil
    let (positive, negative, _) = scored.counts[index]
    let isOneKind = positive == 0 || negative == 0
    let share = isOneKind ? nil : Double(positive) / Double(positive + negative)
    let reason = invalid ?? "one class only"
    var items = [
      Measurement.Item(name: "auc", title: "AUC", chance: 0.5, reason: reason),
      .init(name: "average_precision", title: "Average precision", chance: share, reason: reason),
    ]
    for choice in choices {
      let counts = ranked.counts(threshold: choice.threshold)
      let rate = counts.map { ($0.truePositive + $0.falsePositive) / Double(positive + negative) }
      let known = positive + negative > 0 ? Double(positive) / Double(positive + negative) : nil
      let f1 = rate.flatMap { rate in known.map { $0 + rate > 0 ? 2 * $0 * rate / ($0 + rate) : 0 } }
      items += [
        .init(
          name: "sensitivity", title: "Sensitivity", chance: rate, reason: invalid ?? "no sample has it"),
        .init(
          name: "specificity", title: "Specificity", chance: rate.map { 1 - $0 },
          reason: invalid ?? "every sample has it"),
        .init(
          name: "precision", title: "Precision", chance: known,
          reason: invalid ?? "no sample is said to have it"),
        .init(name: "f1", title: "F1", chance: f1, reason: invalid ?? "no sample has it or is said to"),
      ]
    }
    return items
  }
}
