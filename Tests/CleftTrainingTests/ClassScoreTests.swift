import CleftMetrics
import Foundation
import Testing

/// Scores of classifiers by hand.
@Suite struct ClassScoreTests {
  @Test func topAccuracyCountsTiesForTheFirst() {
    let scores: [[Float]] = [[1, 3, 2], [2, 2, 0], [0, 1, 2]]
    #expect(Classification.accuracy(scores: scores, labels: [1, 1, 0], k: 1) == 1.0 / 3)
    #expect(Classification.accuracy(scores: scores, labels: [1, 1, 0], k: 2) == 2.0 / 3)
    #expect(Classification.accuracy(scores: scores, labels: [1, 1, 0], k: 3) == 1)
    #expect(Classification.accuracy(scores: scores, labels: [2, 0, 2], k: 2) == 1)
    #expect(Classification.accuracy(scores: [], labels: [], k: 1) == nil)
  }

  @Test func logLossOfKnownProbabilities() throws {
    // Probabilities 3/4 and 1/4; of the second row 1/2 each, at any size.
    let scores: [[Float]] = [[Float(log(3.0)), 0], [900, 900]]
    let loss = try #require(Classification.logLoss(logits: scores, labels: [1, 0]))
    #expect(abs(loss - (log(4.0) + log(2.0)) / 2) < 1e-6)
  }

  @Test func severalLabelsByHand() throws {
    let logits: [[Float]] = [[1, -1], [2, 3], [-1, -2], [0, 5]]
    let labels = [[0], [0, 1], [], [0]]
    let counts = MultiLabel.counts(logits: logits, labels: labels, classCount: 2)
    #expect(counts.map(\.truePositive) == [2, 1] && counts.map(\.falseNegative) == [1, 0])
    #expect(counts.map(\.falsePositive) == [0, 1] && counts.map(\.trueNegative) == [1, 2])
    #expect(MultiLabel.accuracy(counts) == 6.0 / 8)
    // Class 0: -1 below 1, 2 and 0. Class 1: 3 above -1 and -2, below 5.
    #expect(MultiLabel.aucs(logits: logits, labels: labels, classCount: 2) == [1, 2.0 / 3])
    let expected =
      [(1.0, 1), (-1, 0), (2, 1), (3, 1), (-1, 0), (-2, 0), (0, 1), (5, 0)].reduce(0.0) { sum, cell in
        sum + log1p(exp(cell.1 == 1 ? -cell.0 : cell.0))
      } / 8
    let loss = try #require(MultiLabel.logLoss(logits: logits, labels: labels, classCount: 2))
    #expect(abs(loss - expected) < 1e-9)
  }

  @Test func classesThatAllHaveOrNoneHaveNoAUC() {
    let aucs = MultiLabel.aucs(logits: [[1, 1], [2, 2]], labels: [[0], [0]], classCount: 2)
    #expect(aucs == [nil, nil])
  }

  @Test func equalCaptionsAreFoundWhereTheyStand() {
    // Row 0 likes caption 1 best, which reads like its own.
    let scores: [Float] = [1, 5, 0, 0, 1, 0, 0, 2, 3]
    #expect(Retrieval.accuracy(scores: scores, count: 3, k: 1) == 4.0 / 6)
    #expect(Retrieval.accuracy(scores: scores, count: 3, k: 1, groups: [0, 0, 1]) == 1)
    #expect(Retrieval.accuracy(scores: scores, count: 3, k: 1, groups: [0, 1, 2]) == 4.0 / 6)
    #expect(Retrieval.accuracy(scores: scores, count: 3, k: 2) == 5.0 / 6)
  }
}
