import CleftMetrics
import CleftTensor
import Foundation
import Testing

@Suite struct ScorecardTests {
  private let bootstrap = Bootstrap(draws: 200, key: RandomKey(seed: 5))

  /// Samples of which each of two classes is asked; the first class's scores are `first`, the second's random.
  private func questions(_ first: [Double], _ has: [Bool], unknown: [[Int]] = []) -> PredictionTable {
    let noise = normals(RandomKey(seed: 3), first.count)
    return PredictionTable(
      classNames: ["Edema", "Fracture"], question: .each,
      logits: first.indices.flatMap { [first[$0], noise[$0]] },
      labels: has.indices.map { (has[$0] ? [0] : []) + ($0 % 3 == 0 ? [1] : []) }, unknown: unknown)
  }

  /// Three classes in turn, two samples a patient, scores of middling quality.
  private func oneOf(_ count: Int, seed: UInt64 = 1) -> PredictionTable {
    let noise = normals(RandomKey(seed: seed), 3 * count)
    return PredictionTable(
      classNames: ["a", "b", "c"], question: .oneOf,
      logits: noise.indices.map { noise[$0] + ($0 % 3 == $0 / 3 % 3 ? 1.5 : 0) },
      labels: (0..<count).map { [$0 % 3] }, clusters: (0..<count).map { $0 / 2 })
  }

  @Test func everyNumberOfTheCatalogueIsThereWithIntervalAndChance() throws {
    let table = oneOf(120)
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap)
    let entries = MetricCatalog.entries(for: table)
    #expect(card.count == 120 && card.clusterCount == 60 && entries.count >= 7)
    #expect(card.metrics.map(\.name) == entries.map(\.name))
    #expect(
      card.metrics.prefix(4).map(\.name) == ["accuracy", "balanced_accuracy", "auc", "average_precision"])
    for (metric, entry) in zip(card.metrics, entries) {
      #expect(metric.value == entry.value(ScoredTable(table), nil) && metric.chance == entry.chance(table))
      let (value, interval) = (try #require(metric.value), try #require(metric.interval))
      #expect(interval.lower < value && value < interval.upper && metric.note == nil)
    }
    #expect(card.metric("auc")?.title == "AUC, mean over classes")
    #expect(card.confusion?.flatMap { $0 }.reduce(0, +) == 120)
    #expect(card.warnings.isEmpty)
  }

  @Test func numbersOfClassesAreThoseOfTheirScores() throws {
    let table = oneOf(90)
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap)
    let scored = ScoredTable(table)
    for (index, own) in card.classes.enumerated() {
      #expect((own.positiveCount, own.negativeCount, own.unknownCount) == (30, 60, 0))
      #expect(own.metrics.map(\.name) == ["auc", "average_precision"])
      #expect(
        own.metrics.map(\.value) == [scored.ranked[index].auc(), scored.ranked[index].averagePrecision()])
      #expect(own.metrics[0].chance == 0.5 && abs((own.metrics[1].chance ?? 0) - 1 / 3) < 1e-15)
      for metric in own.metrics {
        let interval = try #require(metric.interval)
        #expect(interval.lower < metric.value ?? -1 && metric.value ?? 2 < interval.upper)
      }
      #expect(own.roc.first == CurvePoint(0, 0) && own.roc.last == CurvePoint(1, 1))
      #expect(own.precisionRecall.last?.x == 1 && own.thresholds.isEmpty)
    }
  }

  @Test func confusionHasTrueClassesInRows() {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [2, 1, 0, 1, 3, 0, 5, 0],
      labels: [[0], [0], [1], [1]])
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: nil)
    #expect(card.confusion == [[1, 1], [2, 0]])
    #expect(card.metric("accuracy")?.value == 0.25 && card.metric("accuracy")?.interval == nil)
    #expect(card.metric("accuracy")?.chance == 0.5)
  }

  @Test func thresholdsAreChosenOnValidationAndJudgedOnTheTestSet() throws {
    // On validation everything from logit 1 on is positive.
    let validation = questions([-1, 0, 1, 2, 3], [false, false, true, true, true])
    let test = questions([-1, 0.5, 1, 2, 3, -2], [false, true, true, false, true, false])
    let card = Scorecard(test, validation: validation, traits: [], bootstrap: bootstrap)
    let thresholds = card.classes[0].thresholds
    #expect(thresholds.map(\.rule) == ["f1", "youden"])
    for threshold in thresholds {
      #expect(abs(threshold.threshold - 1 / (1 + exp(-1.0))) < 1e-15 && threshold.validationValue == 1)
      // Yes to 1, 2, 3, of which 1 and 3 are right; 0.5 is missed.
      #expect(threshold.metrics.map(\.name) == ["sensitivity", "specificity", "precision", "f1"])
      let values = threshold.metrics.compactMap(\.value)
      let chances = threshold.metrics.compactMap(\.chance)
      #expect(values.count == 4 && values.allSatisfy { abs($0 - 2 / 3) < 1e-15 })
      #expect(chances == [0.5, 0.5, 0.5, 0.5])
    }
    let other = questions([9, -9, 4], [false, true, false])
    let again = Scorecard(other, validation: validation, traits: [], bootstrap: nil)
    #expect(again.classes[0].thresholds.map(\.threshold) == thresholds.map(\.threshold))
  }

  @Test func validationOfOneKindGivesNoThresholdAndSaysSo() {
    let validation = questions([1, 2, 3, 4], [true, true, true, true])
    let card = Scorecard(
      questions([1, 2, 3, -4], [true, false, true, false]), validation: validation, traits: [], bootstrap: nil
    )
    #expect(card.classes[0].thresholds.isEmpty && card.classes[1].thresholds.count == 2)
    #expect(card.warnings.contains { $0.hasPrefix("no thresholds for 'Edema': ") })
  }

  @Test func oneClassOnlyIsUndefined() {
    let card = Scorecard(
      questions([1, 2, 3, 4], [false, false, false, false]), validation: nil, traits: [], bootstrap: bootstrap
    )
    let own = card.classes[0]
    for metric in own.metrics {
      #expect(metric.value == nil && metric.interval == nil && metric.note == "one class only")
    }
    #expect(own.roc.isEmpty && own.precisionRecall.isEmpty && own.positiveCount == 0)
    #expect(card.warnings == ["no sample has 'Edema': its numbers are undefined"])
    // The other class has an AUC, and it is the mean.
    #expect(card.metric("auc")?.value == card.classes[1].metrics[0].value)
    #expect(card.classes[1].metrics[0].value != nil)
  }

  @Test func scoresThatAreNoNumbersAreSaid() {
    let card = Scorecard(
      questions([1, .nan, 3, 4], [true, false, true, false]), validation: nil, traits: [],
      bootstrap: bootstrap)
    #expect(card.classes[0].metrics.allSatisfy { $0.value == nil && $0.note == "a score is no number" })
    #expect(
      card.warnings == ["1 of 4 samples have scores that are no numbers: what they count for is undefined"])
  }

  @Test func invertedScoresAreWarnedOf() {
    let has = (0..<50).map { $0 % 2 == 0 }
    let reversed = has.enumerated().map { Double($0.offset % 7) / 10 - ($0.element ? 3 : 0) }
    let card = Scorecard(questions(reversed, has), validation: nil, traits: [], bootstrap: nil)
    let text = "AUC 0.00 of 'Edema' is below 0.3: a sign or a pair of prompts is probably inverted"
    #expect(card.classes[0].metrics[0].value == 0 && card.warnings.contains(text))
    // Nineteen of a kind are too few to tell.
    let few = Array(has.prefix(38))
    let small = Scorecard(
      questions(Array(reversed.prefix(38)), few), validation: nil, traits: [], bootstrap: nil)
    #expect(small.warnings.isEmpty)
    // Of two classes that exclude each other it is one warning.
    let pair = PredictionTable(
      classNames: ["no", "yes"], question: .oneOf, logits: reversed.flatMap { [0, $0] },
      labels: has.map { [$0 ? 1 : 0] })
    let both = Scorecard(pair, validation: nil, traits: [], bootstrap: nil).warnings
    #expect(both == ["AUC 0.00 is below 0.3: a sign or a pair of prompts is probably inverted"])
  }

  @Test func whatIsUnknownCountsForItsClassAlone() {
    let table = questions(
      [3, 2, 1, 0], [true, true, false, false], unknown: [[0], [], [], [0]])
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap)
    let first = card.classes[0]
    #expect((first.positiveCount, first.negativeCount, first.unknownCount) == (1, 1, 2))
    #expect(first.metrics[0].value == 1 && card.classes[1].unknownCount == 0)
  }

  @Test func calibrationIsThatOfTheCurves() throws {
    let (test, validation) = (oneOf(150), oneOf(200, seed: 2))
    let card = Scorecard(test, validation: validation, traits: [], bootstrap: bootstrap).calibration
    let names = ["ece", "log_loss", "ece_scaled", "log_loss_scaled"]
    #expect(card.metrics.map(\.name) == names && card.metrics.allSatisfy { $0.interval != nil })
    let temperature = try #require(card.temperature)
    #expect(temperature == TemperatureScaling.fit(validation)?.temperature)
    let curve = try #require(CalibrationCurve(ScoredTable(test), binCount: 10))
    let scaled = try #require(CalibrationCurve(ScoredTable(test, temperature: temperature), binCount: 10))
    #expect(card.bins == curve.bins && card.scaledBins == scaled.bins)
    #expect(card.metrics[0].value == curve.expectedError && card.metrics[2].value == scaled.expectedError)
    let plain = Scorecard(test, validation: nil, traits: [], bootstrap: nil).calibration
    #expect(plain.temperature == nil && plain.scaledBins.isEmpty)
    #expect(plain.metrics.map(\.name) == ["ece", "log_loss"] && plain.bins == curve.bins)
  }

  @Test func aTemperatureAtTheLimitIsSaid() {
    let perfect = questions([-1, -2, 1, 2], [false, false, true, true])
    var table = perfect
    table.logits = table.logits.enumerated().map {
      $0.offset % 2 == 0 ? $0.element : ($0.offset / 2 % 3 == 0 ? 4 : -4)
    }
    let card = Scorecard(perfect, validation: table, traits: [], bootstrap: nil)
    #expect(card.calibration.temperature == 0.01)
    #expect(card.warnings.contains { $0.contains("least beyond 0.01, the limit") })
  }

  @Test func theSameKeyGivesTheSameCard() {
    let (test, validation) = (oneOf(60), oneOf(60, seed: 2))
    let traits = [(name: "sex", values: (0..<60).map { $0 % 4 < 2 ? "F" : "M" } as [String?])]
    let card = Scorecard(test, validation: validation, traits: traits, bootstrap: bootstrap)
    #expect(card == Scorecard(test, validation: validation, traits: traits, bootstrap: bootstrap))
    let other = Bootstrap(draws: 200, key: RandomKey(seed: 6))
    #expect(card != Scorecard(test, validation: validation, traits: traits, bootstrap: other))
  }

  @Test func anEmptyTableIsUndefined() {
    let table = PredictionTable(classNames: ["a", "b"], question: .oneOf, logits: [], labels: [])
    let card = Scorecard(table, validation: table, traits: [(name: "sex", values: [])], bootstrap: bootstrap)
    #expect(card.count == 0 && card.metrics.count >= 4)
    #expect(card.metrics.allSatisfy { $0.value == nil && $0.note == "no samples" && $0.interval == nil })
    #expect(card.confusion == [[0, 0], [0, 0]] && card.subgroups.isEmpty)
  }
}

@Suite struct ClassSweepTests {
  @Test(arguments: PredictionTable.Question.allCases)
  func numbersOfDrawsAreTheCatalogues(_ question: PredictionTable.Question) {
    let key = RandomKey(seed: 10)
    let table = PredictionTable(
      classNames: ["a", "b", "c"], question: question, logits: normals(key, 150),
      labels: (0..<50).map { [$0 % 3] }, clusters: (0..<50).map { $0 / 2 })
    let entries = MetricCatalog.entries(for: table)
    let scored = ScoredTable(table)
    let bootstrap = Bootstrap(draws: 60, key: key)
    let plain = bootstrap.resample(clusters: table.clusters) { weights in
      entries.map { $0.value(scored, weights) }
    }
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap)
    #expect(card.metrics.count == entries.count)
    for (index, metric) in card.metrics.enumerated() {
      let (interval, note) = plain.interval(of: index)
      let known = entries[index].name == "accuracy" && question == .each
      let own = known ? "always the commoner answer: 66.7 %" : nil
      #expect(metric.interval == interval && metric.note == (own ?? note))
      #expect(interval != nil && note == nil)
    }
  }

  @Test func aSweepIsWhatRankedScoresSayUnderAnyDraw() throws {
    let key = RandomKey(seed: 9)
    // Probabilities in tenths, so that many are equal; every seventh truth is unknown.
    let logits = (0..<300).map { index in
      let share = (key.uniform(at: index) * 9).rounded(.down) / 10 + 0.05
      return log(share / (1 - share))
    }
    let table = PredictionTable(
      classNames: ["a", "b", "c"], question: .each, logits: logits,
      labels: (0..<100).map { $0 % 4 == 0 ? [0, 1] : [2] },
      unknown: (0..<100).map { $0 % 7 == 0 ? [1] : [] })
    let scored = ScoredTable(table)
    for (index, draw) in (0..<30).map({ ($0 % 3, key.split("draw", $0)) }) {
      let weights = (0..<100).map { (draw.uniform(at: $0) * 3).rounded(.down) }
      let ranked = scored.ranked[index]
      let thresholds = [0.3, scored.probabilities[index], 0, 1]
      let result = try #require(ClassSweep(scored, class: index, thresholds: thresholds).run(weights))
      #expect(result.auc == ranked.auc(weights: weights) && result.auc != nil)
      #expect(result.averagePrecision == ranked.averagePrecision(weights: weights))
      #expect(result.counts == thresholds.map { ranked.counts(threshold: $0, weights: weights) })
    }
  }
}
