import CleftMetrics
import Foundation
import Testing

@Suite struct RankedScoresTests {
  // Pairs: 0.9 above both negatives, 0.5 ties with one of them and beats the other.
  private let four = RankedScores(
    scores: [0.1, 0.5, 0.9, 0.5], isPositive: [false, true, true, false])

  @Test func tiesCountHalf() {
    #expect(four.auc() == 0.875)
    // Thresholds 0.9, 0.5, 0.1: precision 1, 2/3, 1/2 at recall 1/2, 1, 1.
    let precision: Double = (1 + 2.0 / 3) / 2
    #expect(four.averagePrecision() == precision)
    #expect(four.thresholds == [0.9, 0.5, 0.1])
  }

  @Test func curvesByHand() {
    let roc = [CurvePoint(0, 0), CurvePoint(0, 0.5), CurvePoint(0.5, 1), CurvePoint(1, 1)]
    #expect(four.roc() == roc)
    let precision = [CurvePoint(0, 1), CurvePoint(0.5, 1), CurvePoint(1, 2.0 / 3), CurvePoint(1, 0.5)]
    #expect(four.precisionRecall() == precision)
  }

  @Test func pointsBetweenEqualStepsAreLeftOut() {
    let ranked = RankedScores(
      scores: [6, 5, 4, 3, 2, 1], isPositive: [true, true, true, false, false, false])
    // scikit-learn keeps the first threshold, too.
    let roc = [CurvePoint(0, 0), CurvePoint(0, 1.0 / 3), CurvePoint(0, 1), CurvePoint(1, 1)]
    #expect(ranked.roc() == roc)
    #expect(ranked.roc(keepsAll: true).count == 7)
    let steps = ranked.precisionRecall()
    #expect(steps.count == 5)
    #expect(steps.suffix(2) == [CurvePoint(1, 1), CurvePoint(1, 0.5)])
    #expect(ranked.precisionRecall(keepsAll: true).count == 7)
  }

  @Test func weightsAreNumbersOfSamples() {
    let scores = [0.3, 0.8, 0.3, 0.6, 0.1]
    let isPositive = [true, true, false, false, true]
    let weights = [2, 1, 3, 0, 1]
    let drawn = weights.enumerated().flatMap { [Int](repeating: $0.offset, count: $0.element) }
    let repeated = RankedScores(scores: drawn.map { scores[$0] }, isPositive: drawn.map { isPositive[$0] })
    let ranked = RankedScores(scores: scores, isPositive: isPositive)
    let doubles = weights.map(Double.init)
    #expect(ranked.auc(weights: doubles) == repeated.auc())
    #expect(ranked.averagePrecision(weights: doubles) == repeated.averagePrecision())
    #expect(ranked.roc(weights: doubles, keepsAll: true) == repeated.roc(keepsAll: true))
    #expect(ranked.precisionRecall(weights: doubles) == repeated.precisionRecall())
    #expect(ranked.counts(threshold: 0.3, weights: doubles) == repeated.counts(threshold: 0.3))
    #expect(ranked.auc(weights: doubles) != ranked.auc())
  }

  @Test func oneKindOnlyIsUndefined() {
    for isPositive in [true, false] {
      let ranked = RankedScores(scores: [1, 2], isPositive: [isPositive, isPositive])
      #expect(ranked.auc() == nil && ranked.averagePrecision() == nil)
      #expect(ranked.roc().isEmpty && ranked.precisionRecall().isEmpty)
      #expect(ThresholdRule.allCases.allSatisfy { $0.best(ranked) == nil })
    }
    let weights: [Double] = [1, 0, 0, 1]
    #expect(four.auc(weights: weights) == nil && four.averagePrecision(weights: weights) == nil)
    #expect(four.auc(weights: [0, 0, 0, 0]) == nil)
  }

  @Test func nothingIsUndefined() {
    let ranked = RankedScores(scores: [], isPositive: [])
    #expect(ranked.auc() == nil && ranked.averagePrecision() == nil)
    #expect(ranked.roc().isEmpty && ranked.precisionRecall().isEmpty)
    #expect(ranked.counts(threshold: 0) == nil && ThresholdRule.f1.best(ranked) == nil)
  }

  @Test func scoresThatAreNoNumbersHaveNoOrder() {
    let ranked = RankedScores(scores: [0.2, .nan, 0.7], isPositive: [false, true, true])
    #expect(ranked.auc() == nil && ranked.averagePrecision() == nil && ranked.roc().isEmpty)
    #expect(ranked.counts(threshold: 0.5) == nil && ThresholdRule.youden.best(ranked) == nil)
    // Of weight 0, they are not there.
    #expect(ranked.auc(weights: [1, 0, 1]) == 1)
  }

  @Test func infiniteScoresAreOrdered() {
    let ranked = RankedScores(
      scores: [.infinity, -.infinity, 0, .infinity], isPositive: [true, false, true, false])
    #expect(ranked.auc() == 0.625)
  }

  @Test(arguments: [Double.nan, -1, .infinity]) func oddWeightsMakeNumbersUndefined(_ odd: Double) {
    for place in 0..<4 {
      var weights = [1.0, 1, 1, 1]
      weights[place] = odd
      #expect(four.auc(weights: weights) == nil && four.averagePrecision(weights: weights) == nil)
      #expect(four.roc(weights: weights).isEmpty && four.counts(threshold: 0, weights: weights) == nil)
    }
  }

  @Test func unknownSamplesKeepTheirWeightsPlace() {
    let ranked = RankedScores(
      scores: [0.1, 0.99, 0.5, 0.9, 0.5], isPositive: [false, false, true, true, false],
      isKnown: [true, false, true, true, true])
    #expect(ranked.auc() == four.auc())
    #expect(ranked.auc(weights: [1, 7, 0, 1, 1]) == four.auc(weights: [1, 0, 1, 1]))
  }

  @Test func countsAtAThreshold() throws {
    let counts = try #require(four.counts(threshold: 0.5))
    let expected = ThresholdCounts(truePositive: 2, falseNegative: 0, falsePositive: 1, trueNegative: 1)
    #expect(counts == expected)
    #expect(counts.sensitivity == 1 && counts.specificity == 0.5)
    #expect(counts.precision == 2.0 / 3)
    #expect(counts.f1 == 0.8 && counts.youden == 0.5)
    let none = try #require(four.counts(threshold: 2))
    #expect(none.precision == nil && none.sensitivity == 0 && none.f1 == 0 && none.specificity == 1)
    #expect(four.counts(threshold: .nan) == nil)
    let nobody = ThresholdCounts(truePositive: 0, falseNegative: 0, falsePositive: 0, trueNegative: 3)
    #expect(nobody.f1 == nil && nobody.sensitivity == nil && nobody.youden == nil)
  }

  @Test func ofEquallyGoodThresholdsTheHighest() throws {
    // Youden's index is 1/2 at 0.9 and at 0.5; F1 is 2/3 at 0.9 and 4/5 at 0.5.
    let youden = try #require(ThresholdRule.youden.best(four))
    #expect(youden.threshold == 0.9 && youden.value == 0.5)
    let f1 = try #require(ThresholdRule.f1.best(four))
    #expect(f1.threshold == 0.5 && f1.value == 0.8)
    // F1 is 2/3 at 3 and at 1.
    let even = RankedScores(scores: [3, 2, 2, 1], isPositive: [true, false, false, true])
    #expect(ThresholdRule.f1.best(even)?.threshold == 3)
  }
}
