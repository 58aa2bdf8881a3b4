import CleftMetrics
import CleftTensor
import Foundation
import Testing

@Suite struct TemperatureScalingTests {
  private func fit(
    _ question: PredictionTable.Question, _ logits: [Double], _ labels: [[Int]], unknown: [[Int]] = []
  )
    -> TemperatureScaling.Fit?
  {
    TemperatureScaling.fit(
      PredictionTable(
        classNames: question == .oneOf ? ["a", "b"] : ["a"], question: question, logits: logits,
        labels: labels,
        unknown: unknown))
  }

  @Test func theFittedProbabilityIsTheObservedShare() throws {
    // A margin of 2 that is right in three of four cases: 1 / (1 + exp(-2 / T)) = 3 / 4.
    let best = 2 / log(3.0)
    let oneOf = try #require(fit(.oneOf, [0, 2, 0, 2, 2, 0, 0, 2], [[1], [1], [0], [0]]))
    #expect(abs(oneOf.temperature - best) < 1e-9 && !oneOf.isAtLimit)
    let each = try #require(fit(.each, [2, 2, -2, 2], [[0], [0], [], []]))
    #expect(abs(each.temperature - best) < 1e-9 && !each.isAtLimit)
  }

  @Test func whatIsUnknownDoesNotCount() throws {
    let found = fit(.each, [2, 2, -2, 2, 50], [[0], [0], [], [], []], unknown: [[], [], [], [], [0]])
    #expect(abs(try #require(found).temperature - 2 / log(3.0)) < 1e-9)
    #expect(fit(.each, [2], [[]], unknown: [[0]]) == nil)
  }

  @Test func perfectAndWorthlessScoresEndAtTheLimits() {
    let (perfect, reversed) = (
      fit(.oneOf, [0, 2, 3, 0], [[1], [0]]), fit(.oneOf, [0, 2, 3, 0], [[0], [1]])
    )
    #expect(perfect?.temperature == 0.01 && perfect?.isAtLimit == true)
    #expect(reversed?.temperature == 100 && reversed?.isAtLimit == true)
    #expect(fit(.oneOf, [1, 1, 1, 1], [[0], [1]])?.isAtLimit == true)
  }

  @Test func nothingToFitIsUndefined() {
    #expect(fit(.oneOf, [], []) == nil)
    #expect(fit(.oneOf, [.nan, 0], [[0]]) == nil)
  }

  @Test(arguments: [0.07, 0.6, 1, 9])
  func noOtherTemperatureHasALowerLogLoss(_ scale: Double) throws {
    let key = RandomKey(seed: 11)
    let noise = normals(key, 900)
    let labels = (0..<300).map { $0 % 3 }
    let logits = (0..<900).map { (noise[$0] + ($0 % 3 == labels[$0 / 3] ? 1 : 0)) * scale }
    let table = PredictionTable(
      classNames: ["a", "b", "c"], question: .oneOf, logits: logits, labels: labels.map { [$0] })
    let best = try #require(TemperatureScaling.fit(table))
    #expect(!best.isAtLimit)
    let entry = try #require(MetricCatalog.entry("log_loss"))
    func loss(_ factor: Double) throws -> Double {
      try #require(entry.value(ScoredTable(table, temperature: best.temperature * factor), nil))
    }
    let least = try loss(1)
    for factor in [0.5, 0.99, 1.01, 2] { #expect(try loss(factor) > least) }
  }
}
