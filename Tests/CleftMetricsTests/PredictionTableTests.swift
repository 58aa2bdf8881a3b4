import CleftMetrics
import Foundation
import Testing

@Suite struct PredictionTableTests {
  @Test func aTemperatureFlattensProbabilities() {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [0, log(3)], labels: [[1]])
    #expect(abs(table.probabilities()[1] - 0.75) < 1e-15)
    #expect(abs(table.probabilities(temperature: 1e9)[1] - 0.5) < 1e-8)
  }

  @Test func questionsByThemselvesAreSigmoids() {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .each, logits: [0, log(4)], labels: [[0, 1]])
    #expect(table.probabilities() == [0.5, 0.8])
  }

  @Test func picturesOfUnknownPatientsAreOfSomebodyElseEach() {
    #expect(PredictionTable.clusters(of: ["x", nil, "y", "x", nil]) == [0, 1, 2, 0, 3])
  }

  @Test func rowsMayComeSeveralTimes() {
    let table = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [1, 2, 3, 4], labels: [[0], [1]], clusters: [0, 1])
    let drawn = table.rows([1, 1])
    #expect(drawn.logits == [3, 4, 3, 4] && drawn.labels == [[1], [1]] && drawn.clusters == [1, 1])
  }
}
