import CleftMetrics
import Foundation
import Testing

@Suite struct CalibrationCurveTests {
  @Test func binsByHand() throws {
    let curve = try #require(
      CalibrationCurve(
        probabilities: [0.125, 0.25, 0.375, 1], outcomes: [false, true, true, true], binCount: 4))
    // 0.25 lies on an edge and belongs below it; nothing is between 0.5 and 0.75.
    let bins = [
      ReliabilityBin(lower: 0, upper: 0.25, count: 2, meanProbability: 0.1875, observedShare: 0.5),
      ReliabilityBin(lower: 0.25, upper: 0.5, count: 1, meanProbability: 0.375, observedShare: 1),
      ReliabilityBin(lower: 0.75, upper: 1, count: 1, meanProbability: 1, observedShare: 1),
    ]
    #expect(curve.bins == bins)
    #expect(curve.expectedError == 0.3125)
  }

  @Test func theEndsOfTheRangeAreInTheOuterBins() throws {
    let curve = try #require(CalibrationCurve(probabilities: [0, 1], outcomes: [true, false], binCount: 3))
    #expect(curve.bins.map(\.meanProbability) == [0, 1] && curve.expectedError == 1)
  }

  @Test func quantilesHoldEqualNumbers() throws {
    let probabilities = (0..<12).map { Double($0 * $0) / 144 }
    let curve = try #require(
      CalibrationCurve(
        probabilities: probabilities, outcomes: probabilities.map { _ in true }, strategy: .quantile,
        binCount: 4))
    #expect(curve.bins.map(\.count) == [3, 3, 3, 3])
    #expect(curve.bins.first?.lower == 0 && curve.bins.last?.upper == 121.0 / 144)
  }

  @Test func weightsAreNumbersOfSamples() throws {
    let curve = try #require(
      CalibrationCurve(
        probabilities: [0.25, 0.5, 0.75], outcomes: [true, false, true], binCount: 1, weights: [3, 0, 1]))
    #expect(curve.bins.map(\.count) == [2])
    #expect(curve.bins.map(\.meanProbability) == [0.375] && curve.expectedError == 0.625)
  }

  @Test func tablesAreJudgedByTheirLikeliestClass() throws {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [log(3), 0, 0, log(3)], labels: [[0], [0]])
    let curve = try #require(CalibrationCurve(ScoredTable(table), binCount: 2))
    #expect(curve.bins.count == 1 && curve.bins[0].observedShare == 0.5)
    #expect(abs(curve.expectedError - 0.25) < 1e-15)
  }

  @Test func questionsAreJudgedCellByCell() throws {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .each, logits: [log(3), 0, 0, -log(3)], labels: [[0], [0]],
      unknown: [[1], []])
    let curve = try #require(CalibrationCurve(ScoredTable(table), binCount: 2))
    // 0.75 and 0.5 of class a came true, 0.25 of class b did not; the edge 0.5 belongs below.
    #expect(curve.bins.map(\.count) == [2, 1] && curve.bins.map(\.observedShare) == [0.5, 1])
    #expect(abs(curve.expectedError - (0.25 + 0.25) / 3) < 1e-15)
  }

  @Test func whatIsNoProbabilityHasNoCurve() {
    for odd in [Double.nan, -0.1, 1.1, .infinity] {
      for strategy in CalibrationCurve.Strategy.allCases {
        let (probabilities, outcomes) = ([0.5, odd], [true, false])
        #expect(
          CalibrationCurve(probabilities: probabilities, outcomes: outcomes, strategy: strategy) == nil)
        #expect(
          CalibrationCurve(
            probabilities: probabilities, outcomes: outcomes, strategy: strategy, weights: [1, 0]) != nil)
      }
    }
    #expect(CalibrationCurve(probabilities: [], outcomes: []) == nil)
    #expect(CalibrationCurve(probabilities: [0.5], outcomes: [true], weights: [0]) == nil)
  }
}
