import CleftMetrics
import CleftTensor
import Testing

@Suite struct ProbeMetricTests {
  @Test func aMetricIsTheMeanOfTheDraws() throws {
    let labels = [[0], [1], [0], [1]]
    let tables = [[2.0, 0, 0, 2, 2, 0, 0, 2], [2.0, 0, 0, 2, 0, 2, 0, 2]].map {
      PredictionTable(classNames: ["a", "b"], question: .oneOf, logits: $0, labels: labels)
    }
    let metrics = ProbeMetric.of(
      tables, hasProbabilities: true, bootstrap: Bootstrap(draws: 200, key: RandomKey(seed: 1)))
    let accuracy = try #require(metrics.first { $0.name == "accuracy" })
    #expect(accuracy.values == [1, 0.75] && accuracy.mean == 0.875 && accuracy.chance == 0.5)
    #expect(accuracy.lowest == 0.75 && accuracy.highest == 1)
    #expect(metrics.contains { $0.name == "log_loss" })
    #expect(accuracy.note == "4 patients only: no interval")
    let plain = ProbeMetric.of(tables, hasProbabilities: false, bootstrap: nil)
    #expect(plain.allSatisfy { $0.interval == nil } && !plain.contains { $0.name == "log_loss" })
  }

  @Test func aMetricThatIsUndefinedSaysWhy() throws {
    func metrics(_ logits: [Double], _ labels: [[Int]]) -> [ProbeMetric] {
      let tables = [[1.0, 0, 0, 1], logits].map {
        PredictionTable(classNames: ["a", "b"], question: .oneOf, logits: $0, labels: labels)
      }
      return ProbeMetric.of(tables, hasProbabilities: true, bootstrap: nil)
    }
    let broken = metrics([1, .nan, 0, 1], [[0], [1]])
    #expect(broken.allSatisfy { $0.mean == nil && $0.note == "a score is no number" })
    let alike = try #require(metrics([1, 0, 0, 1], [[0], [0]]).first { $0.name == "auc" })
    #expect(alike.mean == nil && alike.note == "one class only")
  }

  @Test func intervalsOfAMeanOverDrawsAreThoseOfTheCatalogue() throws {
    let (key, labels) = (RandomKey(seed: 6), (0..<90).map { [$0 % 3] })
    let tables = (0..<2).map { draw in
      PredictionTable(
        classNames: ["a", "b", "c"], question: .oneOf, logits: normals(key.split("draw", draw), 270),
        labels: labels)
    }
    let bootstrap = Bootstrap(draws: 100, key: key)
    let scored = tables.map { ScoredTable($0) }
    for metric in ProbeMetric.of(tables, hasProbabilities: true, bootstrap: bootstrap) {
      let entry = try #require(MetricCatalog.entry(metric.name))
      let plain = bootstrap.resample(clusters: tables[0].clusters) { weights in
        let values = scored.compactMap { entry.value($0, weights) }
        return [values.count == 2 ? (values[0] + values[1]) / 2 : nil]
      }
      #expect(metric.interval != nil && metric.interval == plain.interval(of: 0).interval, "\(metric.name)")
    }
  }
}
