import CleftMetrics
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

  @Test func severalLabelsByHand() {
    let logits: [[Float]] = [[1, -1], [2, 3], [-1, -2], [0, 5]]
    let labels = [[0], [0, 1], [], [0]]
    let counts = MultiLabel.counts(logits: logits, labels: labels, classCount: 2)
    #expect(counts.map(\.truePositive) == [2, 1] && counts.map(\.falseNegative) == [1, 0])
    #expect(counts.map(\.falsePositive) == [0, 1] && counts.map(\.trueNegative) == [1, 2])
    #expect(MultiLabel.accuracy(counts) == 6.0 / 8)
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
