import CleftMetrics
import Foundation
import Testing

/// Numbers and curves of 500 tables against scikit-learn's; see `Fixtures/metrics`.
@Suite struct ScikitLearnTests {
  private let file: ScikitLearnCase.File

  init() throws { file = try ScikitLearnCase.File.read() }

  /// Equal within 1e-12 of the larger of 1 and the expected value; nil equals nil only.
  private func isEqual(_ found: Double?, _ expected: Double?) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    return abs(found - expected) <= 1e-12 * max(1, abs(expected))
  }

  private func digest(_ curve: [CurvePoint]) -> [Double]? {
    if curve.isEmpty { return nil }
    return curve.enumerated().reduce(into: [Double(curve.count), 0, 0]) { sums, point in
      sums[1] += Double(point.offset + 1) * point.element.x
      sums[2] += Double(point.offset + 1) * point.element.y
    }
  }

  private func areEqual(_ found: [Double]?, _ expected: [Double]?) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    return found.count == expected.count && zip(found, expected).allSatisfy { isEqual($0, $1) }
  }

  @Test func everyMetricOfEveryCase() throws {
    #expect(file.cases.count == 500 && file.metrics.count == 9)
    var compared = [String: Int]()
    for (index, expected) in file.cases.enumerated() {
      let example = ScikitLearnCase(index)
      let scored = example.scored
      try #require(expected.values.count == file.metrics.count, "case \(index)")
      for (name, value) in zip(file.metrics, expected.values) {
        let found =
          name == "calibration_error"
          ? CalibrationCurve(scored, weights: example.weights)?.expectedError
          : try #require(MetricCatalog.entry(name), "\(name)").value(scored, example.weights)
        #expect(isEqual(found, value), "case \(index), \(name): \(found as Any), expected \(value as Any)")
        compared[name, default: 0] += value == nil ? 0 : 1
      }
    }
    // Most cases say something about each.
    for name in file.metrics { #expect(compared[name, default: 0] >= 190, "\(name)") }
  }

  @Test func everyCurveOfTwoClasses() throws {
    var (compared, undefined) = (0, 0)
    for (index, expected) in file.cases.enumerated() where index % 5 < 2 {
      let example = ScikitLearnCase(index)
      let (ranked, weights) = (example.scored.ranked[1], example.weights)
      for keepsAll in [false, true] {
        let roc = digest(ranked.roc(weights: weights, keepsAll: keepsAll))
        #expect(areEqual(roc, keepsAll ? expected.roc_all : expected.roc), "case \(index)")
        let precision = digest(ranked.precisionRecall(weights: weights, keepsAll: keepsAll))
        #expect(areEqual(precision, keepsAll ? expected.pr_all : expected.pr), "case \(index)")
        compared += roc == nil ? 0 : 1
        undefined += roc == nil ? 1 : 0
      }
    }
    #expect(compared > 300 && undefined > 20)
  }

  @Test func areaUnderThinnedCurvesIsTheNumberItself() {
    for index in file.cases.indices where index % 5 < 2 {
      let example = ScikitLearnCase(index)
      let (ranked, weights) = (example.scored.ranked[1], example.weights)
      let roc = ranked.roc(weights: weights)
      let area = zip(roc, roc.dropFirst()).reduce(0.0) { $0 + ($1.1.x - $1.0.x) * ($1.1.y + $1.0.y) / 2 }
      #expect(isEqual(roc.isEmpty ? nil : area, ranked.auc(weights: weights)), "case \(index)")
      let steps = ranked.precisionRecall(weights: weights)
      let sum = zip(steps, steps.dropFirst()).reduce(0.0) { $0 + ($1.1.x - $1.0.x) * $1.1.y }
      #expect(isEqual(steps.isEmpty ? nil : sum, ranked.averagePrecision(weights: weights)), "case \(index)")
    }
  }

  @Test func bestThresholds() {
    var compared = 0
    for (index, expected) in file.cases.enumerated() where expected.bins != nil || expected.f1 != nil {
      let example = ScikitLearnCase(index)
      if example.weights != nil { continue }
      for (rule, pair) in [(ThresholdRule.f1, expected.f1), (.youden, expected.youden)] {
        let found = rule.best(example.scored.ranked[1]).map { [$0.threshold, $0.value] }
        #expect(areEqual(found, pair), "case \(index), \(rule)")
        #expect(found?[0] == pair?[0], "case \(index), \(rule)")
        compared += found == nil ? 0 : 1
      }
    }
    #expect(compared > 80)
  }

  @Test func calibrationCurves() {
    var compared = 0
    for (index, expected) in file.cases.enumerated() {
      guard let bins = expected.bins else { continue }
      let example = ScikitLearnCase(index)
      let probabilities = stride(from: 1, to: example.probabilities.count, by: 2).map {
        example.probabilities[$0]
      }
      for (strategy, pair) in [(.uniform, expected.uniform), (.quantile, expected.quantile)]
        as [(CalibrationCurve.Strategy, [[Double]]?)]
      {
        guard let pair else { continue }
        let curve = CalibrationCurve(
          probabilities: probabilities, outcomes: example.labels.map { $0 == [1] }, strategy: strategy,
          binCount: bins, weights: example.weights)
        #expect(areEqual(curve?.bins.map(\.observedShare), pair[0]), "case \(index), \(strategy)")
        #expect(areEqual(curve?.bins.map(\.meanProbability), pair[1]), "case \(index), \(strategy)")
        compared += 1
      }
    }
    #expect(compared > 180)
  }
}
