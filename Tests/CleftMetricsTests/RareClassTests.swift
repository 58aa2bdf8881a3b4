import CleftMetrics
import CleftTensor
import Foundation
import Testing

/// Means over classes where a draw of patients, or a part of the samples, lacks some of the classes.
@Suite struct RareClassTests {
  private let bootstrap = Bootstrap(draws: 200, key: RandomKey(seed: 5))

  /// Samples of two common classes and, the last so many, of a third one.
  private func table(
    _ question: PredictionTable.Question, rare: Int, count: Int = 60
  ) -> PredictionTable {
    let noise = normals(RandomKey(seed: 4), 3 * count)
    let labels = (0..<count).map { $0 < count - rare ? $0 % 2 : 2 }
    return PredictionTable(
      classNames: ["a", "b", "c"], question: question,
      logits: noise.indices.map { noise[$0] + (labels[$0 / 3] == $0 % 3 ? 1 : 0) },
      labels: labels.map { [$0] })
  }

  @Test(arguments: PredictionTable.Question.allCases)
  func aMeanIsUndefinedInDrawsThatLoseARareClass(_ question: PredictionTable.Question) throws {
    let table = table(question, rare: 1)
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap)
    let missing = bootstrap.resample(clusters: table.clusters) { [$0[59]] }.draws.count { $0 == [0] }
    #expect(missing > 50 && missing < 100)
    let note = "undefined in \(missing) of 200 draws of patients: no interval"
    let means =
      question == .oneOf ? ["balanced_accuracy", "auc", "average_precision"] : ["auc", "average_precision"]
    for name in means {
      let metric = try #require(card.metric(name))
      #expect(metric.value != nil && metric.interval == nil && metric.note == note, "\(name): \(metric)")
    }
    // What is a mean over samples keeps its interval.
    #expect(card.metric("accuracy")?.interval != nil && card.metric("log_loss")?.interval != nil)
    let often = Scorecard(self.table(question, rare: 15), validation: nil, traits: [], bootstrap: bootstrap)
    for name in means + ["f1"] { #expect(often.metric(name)?.interval != nil, "\(name)") }
  }

  @Test func anF1ThatLosesItsOnlySampleIsUndefined() throws {
    // Every answer is right, but for one of the common classes.
    var table = table(.oneOf, rare: 1)
    table.logits = table.labels.flatMap { own in (0..<3).map { $0 == own[0] ? 1 : 0 } }
    table.logits.replaceSubrange(0..<3, with: [0, 1, 0])
    let f1 = try #require(Scorecard(table, validation: nil, traits: [], bootstrap: bootstrap).metric("f1"))
    #expect(f1.interval == nil && (f1.note ?? "").hasPrefix("undefined in "))
  }

  @Test func differencesAreUndefinedInDrawsThatLoseARareClass() throws {
    let table = table(.oneOf, rare: 1)
    let differences = PairedBootstrap.differences(table, table, bootstrap)
    let mean = try #require(differences.first { $0.name == "balanced_accuracy" })
    #expect(mean.difference == 0 && mean.interval == nil && mean.p == nil)
    let plain = try #require(differences.first { $0.name == "accuracy" })
    #expect(plain.interval == Interval(0, 0) && plain.p == 1)
  }

  @Test func subgroupsSayOverHowManyClassesTheirMeansAre() throws {
    // The third class is among the women alone.
    let table = table(.oneOf, rare: 20)
    let sexes: [String?] = (0..<60).map { $0 < 40 && $0 % 4 < 2 ? "M" : "F" }
    let card = Scorecard(
      table, validation: nil, traits: [(name: "sex", values: sexes)], bootstrap: bootstrap)
    let (women, men) = (card.subgroups[0].metrics, card.subgroups[1].metrics)
    #expect(women.allSatisfy { $0.value != nil && $0.note == nil })
    #expect(men.map(\.name) == ["accuracy", "balanced_accuracy", "auc", "average_precision"])
    #expect(men[0].note == nil)
    #expect(men.dropFirst().allSatisfy { $0.note == "over 2 of 3 classes" && $0.interval != nil })
    // With few patients both are said.
    let few: [String?] = (0..<60).map { $0 < 10 ? "M" : "F" }
    let small = Scorecard(table, validation: nil, traits: [(name: "sex", values: few)], bootstrap: bootstrap)
    let note = small.subgroups[1].metrics[1].note
    #expect(note == "over 2 of 3 classes; few patients: the interval is rough")
  }

  @Test func accuracyOfQuestionsSaysWhatTheCommonerAnswerEarns() {
    // One of eight yes, then half of eight; what is unknown does not count.
    let table = PredictionTable(
      classNames: ["a", "b"], question: .each, logits: [Double](repeating: -1, count: 18),
      labels: (0..<9).map { ($0 == 0 ? [0] : []) + ($0 < 4 ? [1] : []) },
      unknown: (0..<9).map { $0 == 8 ? [0, 1] : [] })
    let card = Scorecard(table, validation: nil, traits: [], bootstrap: nil)
    #expect(card.metric("accuracy")?.chance == 0.5)
    // 7 and 4 of 8.
    #expect(card.metric("accuracy")?.note == "always the commoner answer: 68.8 %")
    #expect(card.metric("log_loss")?.note == nil)
  }

  @Test func scoresThatAllMeanCertaintyKeepTheirOrder() throws {
    // Sigmoids of 40, 50 and 60 are exactly 1.
    let table = PredictionTable(
      classNames: ["a"], question: .each, logits: [60, 50, 40, -3], labels: [[0], [0], [], []])
    let scored = ScoredTable(table)
    #expect(scored.probabilities.prefix(3) == [1, 1, 1])
    #expect(scored.ranked[0].auc() == 1 && scored.ranked[0].averagePrecision() == 1)
    let sweep = try #require(ClassSweep(scored, class: 0, thresholds: [1]).run([1, 1, 1, 1]))
    #expect(sweep.auc == 1 && sweep.averagePrecision == 1)
    // A threshold is a probability: that of all three, of which two are right.
    let best = try #require(ThresholdRule.f1.best(scored.ranked[0]))
    #expect(best.threshold == 1 && best.value == 0.8)
    #expect(scored.ranked[0].counts(threshold: best.threshold)?.f1 == 0.8 && sweep.counts[0].f1 == 0.8)
  }
}
