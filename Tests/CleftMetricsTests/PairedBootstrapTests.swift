import CleftMetrics
import CleftTensor
import Testing

@Suite struct PairedBootstrapTests {
  private let bootstrap = Bootstrap(draws: 199, key: RandomKey(seed: 1))

  /// Two classes in turn, 40 samples of 20 patients; the first `right` samples are answered rightly.
  private func table(right: Int, noise: UInt64) -> PredictionTable {
    let key = RandomKey(seed: noise)
    let labels = (0..<40).map { $0 % 2 }
    let logits = labels.enumerated().flatMap { index, label -> [Double] in
      let margin = (0.1 + key.uniform(at: index)) * (index < right ? 1 : -1)
      return label == 0 ? [margin, 0] : [0, margin]
    }
    return PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: logits, labels: labels.map { [$0] },
      clusters: (0..<40).map { $0 / 2 })
  }

  @Test func equalTablesDifferByNothing() {
    let table = table(right: 30, noise: 1)
    let differences = PairedBootstrap.differences(table, table, bootstrap)
    #expect(differences.map(\.name) == MetricCatalog.entries(for: table).map(\.name))
    #expect(differences.count >= 5)
    for difference in differences {
      #expect(difference.value == difference.other && difference.difference == 0)
      #expect(difference.interval == Interval(0, 0) && difference.p == 1)
    }
  }

  @Test func everythingRightBeatsEverythingWrong() throws {
    let differences = PairedBootstrap.differences(
      table(right: 40, noise: 1), table(right: 0, noise: 1), bootstrap)
    let accuracy = try #require(differences.first { $0.name == "accuracy" })
    #expect(accuracy.value == 1 && accuracy.other == 0 && accuracy.difference == 1)
    #expect(accuracy.interval == Interval(1, 1))
    // No draw of 199 on the other side: twice 1 of 200.
    #expect(accuracy.p == 0.01)
  }

  @Test func theOtherWayAroundIsTheSameWithTheOtherSign() throws {
    let (one, other) = (table(right: 32, noise: 1), table(right: 26, noise: 2))
    let there = PairedBootstrap.differences(one, other, bootstrap)
    let back = PairedBootstrap.differences(other, one, bootstrap)
    for (there, back) in zip(there, back) {
      let (interval, mirrored) = (try #require(there.interval), try #require(back.interval))
      #expect(abs(interval.lower + mirrored.upper) < 1e-12 && abs(interval.upper + mirrored.lower) < 1e-12)
      #expect(there.p == back.p)
    }
    let accuracy = try #require(there.first { $0.name == "accuracy" })
    #expect(abs((accuracy.difference ?? 0) - 0.15) < 1e-12)
    #expect((accuracy.p ?? 0) < 0.2 && (accuracy.p ?? 0) > 0.005)
  }

  @Test func withoutDrawsThereAreDifferencesAlone() throws {
    let differences = PairedBootstrap.differences(
      table(right: 32, noise: 1), table(right: 26, noise: 2), nil)
    #expect(abs((differences.first { $0.name == "accuracy" }?.difference ?? 0) - 0.15) < 1e-12)
    #expect(differences.allSatisfy { $0.interval == nil && $0.p == nil })
  }

  @Test func fewerThanFivePatientsHaveNoInterval() throws {
    let few = table(right: 30, noise: 1).rows(Array(0..<8))
    #expect(Set(few.clusters).count == 4)
    let accuracy = try #require(PairedBootstrap.differences(few, few, bootstrap).first)
    #expect(accuracy.difference == 0 && accuracy.interval == nil && accuracy.p == nil)
  }

  @Test func whatIsUndefinedHasNoDifference() throws {
    let one = PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: [0, 1, 0, 2], labels: [[1], [1]])
    let auc = try #require(PairedBootstrap.differences(one, one, bootstrap).first { $0.name == "auc" })
    #expect(auc.value == nil && auc.difference == nil && auc.interval == nil && auc.p == nil)
  }
}
