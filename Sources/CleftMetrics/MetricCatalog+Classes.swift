/// Numbers that are computed of each class and averaged, every class counting alike.
extension MetricCatalog {
  /// Mean share of each class's samples that were answered rightly, over the classes that are there.
  static let balancedAccuracy = Entry(
    "balanced_accuracy", "Balanced accuracy", questions: [.oneOf], averagedCount: { _ in 1 },
    chance: uniformShare
  ) { scored, weights in
    scored.ofClasses(weights) { tally in tally.actual > 0 ? tally.hits / tally.actual : nil }
  }

  /// Mean AUC of each class against the rest; of two classes that a sample has one of, the second's.
  static let auc = Entry("auc", "AUC", averagedCount: { columns($0).count }, chance: { _ in 0.5 }) {
    scored, weights in
    guard scored.areNumbers(weights) else { return [] }
    return columns(scored.table).map { scored.ranked[$0].auc(weights: weights) }
  }

  /// Mean average precision of each class against the rest; of two classes that a sample has one of, the second's.
  ///
  /// Guessing gives each class's share of the samples.
  static let averagePrecision = Entry(
    "average_precision", "Average precision", averagedCount: { columns($0).count },
    chance: { table in
      let counts = table.classCounts
      return mean(
        columns(table).map { index in
          let counts = counts[index]
          if counts.positive == 0 || counts.negative == 0 { return nil }
          return Double(counts.positive) / Double(counts.positive + counts.negative)
        })
    }
  ) { scored, weights in
    guard scored.areNumbers(weights) else { return [] }
    return columns(scored.table).map { scored.ranked[$0].averagePrecision(weights: weights) }
  }

  /// Mean F1 score of each class's answers, over the classes that are there or were answered.
  static let f1 = Entry("f1", "F1", averagedCount: \.classCount, chance: { _ in nil }) { scored, weights in
    scored.ofClasses(weights) { tally in
      let sum = tally.answered + tally.actual
      return sum > 0 ? 2 * tally.hits / sum : nil
    }
  }

  /// Classes that are ranked: of two that exclude each other the second, which the first only mirrors.
  static func columns(_ table: PredictionTable) -> Range<Int> {
    table.question == .oneOf && table.classCount == 2 ? 1..<2 : 0..<table.classCount
  }

  /// Mean of what is defined; nil where nothing is.
  static func mean(_ values: [Double?]) -> Double? {
    let defined = values.compactMap { $0 }
    let sum = defined.reduce(0, +)
    return defined.isEmpty || !sum.isFinite ? nil : sum / Double(defined.count)
  }

  /// Mean of a draw's numbers of classes; nil where a class that has one over the whole table has none, since the mean of
  /// the others is another quantity.
  static func mean(_ values: [Double?], keeping whole: [Double?]) -> Double? {
    guard values.count == whole.count, zip(values, whole).allSatisfy({ $0 != nil || $1 == nil }) else {
      return nil
    }
    return mean(values)
  }
}

extension MetricCatalog.Entry {
  /// The number of draws of a table's samples: that of the same classes as over the whole table, or nil.
  func drawn(from scored: ScoredTable) -> @Sendable (_ weights: [Double]?) -> Double? {
    guard let ofClasses, applies(to: scored.table) else { return { value(scored, $0) } }
    let whole = ofClasses(scored, nil)
    return { MetricCatalog.mean($0 == nil ? whole : ofClasses(scored, $0), keeping: whole) }
  }
}

/// Weights of a class's samples.
struct ClassTally {
  /// Samples that have it and were answered so, samples that were answered so, samples that have it.
  var hits = 0.0
  var answered = 0.0
  var actual = 0.0
}

extension ScoredTable {
  /// A number of each class's tally; none if something is no number.
  func ofClasses(_ weights: [Double]?, _ value: (ClassTally) -> Double?) -> [Double?] {
    guard areNumbers(weights), let tallies = tallies(weights) else { return [] }
    return tallies.map(value)
  }

  private func tallies(_ weights: [Double]?) -> [ClassTally]? {
    var tallies = [ClassTally](repeating: ClassTally(), count: table.classCount)
    let isValid = forEachRow(weights) { row, weight in
      guard table.question == .each else {
        let (label, answer) = (table.labels[row][0], predictions[row])
        tallies[label].actual += weight
        tallies[answer].answered += weight
        if label == answer { tallies[label].hits += weight }
        return
      }
      for index in tallies.indices {
        let place = row * tallies.count + index
        if truths[place] == .unknown { continue }
        let (isPositive, isYes) = (truths[place] == .yes, probabilities[place] > 0.5)
        if isPositive { tallies[index].actual += weight }
        if isYes { tallies[index].answered += weight }
        if isPositive && isYes { tallies[index].hits += weight }
      }
    }
    return isValid ? tallies : nil
  }
}
