import CleftMetrics
import CleftTensor
import Testing

@Suite struct SubgroupTests {
  private let bootstrap = Bootstrap(draws: 100, key: RandomKey(seed: 5))

  /// Two classes in turn; samples from `wrongFrom` on are answered wrongly.
  private func table(_ count: Int, wrongFrom: Int) -> PredictionTable {
    let noise = normals(RandomKey(seed: 12), count)
    var logits: [Double] = []
    for index in 0..<count {
      let isSecond = index % 2 == 1
      let margin = 0.1 + abs(noise[index])
      logits += [0, isSecond == (index < wrongFrom) ? margin : -margin]
    }
    return PredictionTable(
      classNames: ["a", "b"], question: .oneOf, logits: logits, labels: (0..<count).map { [$0 % 2] })
  }

  private func card(_ values: [String?], wrongFrom: Int = 1000) -> Scorecard {
    Scorecard(
      table(values.count, wrongFrom: wrongFrom), validation: nil, traits: [(name: "age", values: values)],
      bootstrap: bootstrap)
  }

  @Test func eachSubgroupHasItsOwnNumbers() throws {
    let values = (0..<40).map { $0 < 20 ? "F" : "M" }
    let cards = card(values, wrongFrom: 25).subgroups
    #expect(cards.map(\.value) == ["F", "M"] && cards.map(\.count) == [20, 20])
    #expect(cards.allSatisfy { $0.trait == "age" })
    let names = ["accuracy", "balanced_accuracy", "auc", "average_precision"]
    #expect(cards[0].metrics.map(\.name) == names)
    #expect(cards[0].metrics[0].value == 1 && cards[1].metrics[0].value == 0.25)
    #expect(cards[0].metrics[0].note == "the same in every draw of patients: no interval")
    let interval = try #require(cards[1].metrics[0].interval)
    #expect(interval.lower < 0.25 && interval.upper > 0.25 && interval.upper < 0.7)
    #expect(cards[1].metrics[0].chance == 0.5)
  }

  @Test func bandsAreInOrderAndTheUnknownComeLast() {
    let bands = ["100+", "other", nil, "40–59", "<40", "60–79"]
    let values = (0..<60).map { bands[$0 % 6] }
    #expect(card(values).subgroups.map(\.value) == ["<40", "40–59", "60–79", "100+", "other", "unknown"])
  }

  @Test func numbersAreOrderedByTheirSignAndDecimals() {
    let names = ["b", "-13 to -1", "0.5–1", "1–2", "-25 to -14", "≥10", "<0.5", "0–10", "a", ">10", "−30"]
    let values = (0..<names.count * 3).map { names[$0 % names.count] }
    let ordered = ["−30", "-25 to -14", "-13 to -1", "0–10", "<0.5", "0.5–1", "1–2", "≥10", ">10", "a", "b"]
    #expect(card(values).subgroups.map(\.value) == ordered)
  }

  @Test func smallSubgroupsAreCountedAndSaid() {
    let values = (0..<32).map { $0 < 20 ? "F" : $0 < 29 ? "M" : "O" }
    let card = card(values)
    #expect(card.subgroups.map(\.count) == [20, 9, 3])
    let haveNumbers = card.subgroups.map { subgroup in subgroup.metrics.count == 4 }
    #expect(haveNumbers == [true, false, false])
    #expect(card.warnings == ["age: fewer than 10 samples, so no numbers, of M (9), O (3)"])
  }

  @Test func aTraitWithOneValueSaysNothing() {
    let (known, unknown) = ([String?](repeating: "F", count: 30), [String?](repeating: nil, count: 30))
    #expect(card(known).subgroups == [])
    #expect(card(unknown).subgroups == [])
    #expect(card(known).warnings.isEmpty && card(unknown).warnings.isEmpty)
    let some = card((0..<30).map { $0 < 10 ? nil : "F" }).subgroups
    #expect(some.map(\.value) == ["F", "unknown"] && some.map(\.count) == [20, 10])
  }

  @Test func aTraitAskedForThatIsTheSameEverywhereIsSaid() {
    let traits: [(name: String, values: [String?])] = [
      ("scanner", [String?](repeating: "GE", count: 30)), ("site", [String?](repeating: nil, count: 30)),
      ("view", [String?](repeating: "PA", count: 30)),
    ]
    let card = Scorecard(
      table(30, wrongFrom: 1000), validation: nil, traits: traits, bootstrap: bootstrap)
    #expect(card.subgroups.isEmpty)
    let constant = "scanner: all samples have 'GE', so no subgroups"
    #expect(card.warnings == [constant, "site: no sample has a value, so no subgroups"])
  }
}
