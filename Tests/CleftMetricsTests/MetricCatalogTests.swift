import CleftMetrics
import Foundation
import Testing

@Suite struct MetricCatalogTests {
  /// A table whose probabilities are given.
  private func scored(
    _ rows: [[Double]], _ labels: [[Int]], _ question: PredictionTable.Question = .oneOf,
    unknown: [[Int]] = []
  ) -> ScoredTable {
    let table = PredictionTable(
      classNames: (rows.first ?? [0, 0]).indices.map { "class \($0)" }, question: question,
      logits: rows.flatMap { $0 }, labels: labels, unknown: unknown)
    return ScoredTable(table, probabilities: table.logits)
  }

  private func value(_ name: String, _ scored: ScoredTable, _ weights: [Double]? = nil) throws -> Double? {
    try #require(MetricCatalog.entry(name), "\(name)").value(scored, weights)
  }

  private func isNear(_ found: Double?, _ expected: Double) -> Bool {
    found.map { abs($0 - expected) < 1e-15 } ?? false
  }

  private var threeClasses: ScoredTable {
    scored([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], [[0], [0], [2]])
  }

  @Test func whatMattersMostComesFirst() {
    let names = MetricCatalog.all.map(\.name)
    #expect(Array(names.prefix(4)) == ["accuracy", "balanced_accuracy", "auc", "average_precision"])
    #expect(Set(names) == Set(names.prefix(4) + ["log_loss", "brier", "f1", "top2_accuracy"]))
    #expect(Set(names).count == names.count)
  }

  @Test func threeClassesByHand() throws {
    let table = threeClasses
    #expect(table.predictions == [0, 1, 0])
    #expect(try isNear(value("accuracy", table), 1.0 / 3))
    // Class 0: one of two, class 2: none of one; class 1 is not there.
    #expect(try isNear(value("balanced_accuracy", table), 0.25))
    // Class 0: 0.5 against 0.5 and 0.25 against 0.5; class 2: 0.25 against 0.25, twice.
    #expect(try isNear(value("auc", table), (0.25 + 0.5) / 2))
    // Class 0: answered twice, there twice, one hit; class 1 was answered, class 2 is there.
    #expect(try isNear(value("f1", table), 0.5 / 3))
    #expect(try isNear(value("log_loss", table), 5 * log(2) / 3))
    #expect(try isNear(value("brier", table), (0.375 + 0.875 + 0.875) / 3))
    // Of the third sample, class 1 is second before class 2.
    #expect(try isNear(value("top2_accuracy", table), 2.0 / 3))
  }

  @Test func ofTwoClassesTheSecondIsRanked() throws {
    let table = scored([[0.5, 0.5], [0.25, 0.75], [0.75, 0.25], [0.5, 0.5]], [[0], [1], [0], [1]])
    #expect(table.predictions == [0, 1, 0, 0])
    #expect(try value("auc", table) == 0.875)
    #expect(try isNear(value("average_precision", table), (1 + 2.0 / 3) / 2))
    // Mean over samples, each of the two classes' equal squares once.
    #expect(try isNear(value("brier", table), (0.25 + 0.0625 + 0.0625 + 0.25) / 4))
    #expect(try value("top2_accuracy", table) == nil)
    #expect(MetricCatalog.entry("auc")?.title(for: table.table) == "AUC")
    #expect(MetricCatalog.entry("auc")?.title(for: threeClasses.table) == "AUC, mean over classes")
  }

  @Test func unknownCellsCountForNothing() throws {
    let rows = [[0.75, 0.25], [0.25, 0.25], [0.5, 0.75]]
    let table = scored(rows, [[0], [0, 1], [1]], .each, unknown: [[], [0], []])
    // Right: 0.75 yes, 0.25 no, 0.5 no, 0.75 yes; wrong: 0.25 for a yes.
    #expect(try isNear(value("accuracy", table), 4.0 / 5))
    let losses = 3 * -log(0.75) - log(0.5) - log(0.25)
    #expect(try isNear(value("log_loss", table), losses / 5))
    #expect(try isNear(value("brier", table), (3 * 0.0625 + 0.25 + 0.5625) / 5))
    // Class 0: 0.75 above 0.5. Class 1: 0.25 and 0.75 against 0.25.
    #expect(try isNear(value("auc", table), (1 + 0.75) / 2))
    #expect(try isNear(value("f1", table), (1 + 2.0 / 3) / 2))
    #expect(table.predictions.isEmpty)
    #expect(try value("balanced_accuracy", table) == nil)
    let counts = table.table.classCounts[0]
    #expect(counts.positive == 1 && counts.negative == 1 && counts.unknown == 1)
    // Without the second sample all are in order; without the first nobody has class 0 and everybody class 1.
    #expect(try value("auc", table, [1, 0, 1]) == 1)
    #expect(try value("auc", table, [0, 1, 1]) == nil)
  }

  @Test func weightsAreNumbersOfSamples() throws {
    let weights = [2.0, 0, 3]
    let drawn = [0, 0, 2, 2, 2]
    let each = scored([[0.75, 0.25], [0.25, 0.25], [0.5, 0.75]], [[0], [0, 1], [1]], .each)
    for table in [threeClasses, each] {
      let rows = drawn.map { row in
        Array(table.probabilities[row * table.table.classCount..<(row + 1) * table.table.classCount])
      }
      let repeated = scored(rows, drawn.map { table.table.labels[$0] }, table.table.question)
      for entry in MetricCatalog.entries(for: table.table) {
        let (found, expected) = (entry.value(table, weights), entry.value(repeated, nil))
        #expect(found == expected || isNear(found, expected ?? .nan), "\(entry.name)")
      }
      #expect(
        CalibrationCurve(table, weights: weights)?.expectedError
          == CalibrationCurve(repeated)?.expectedError)
    }
  }

  @Test func oneClassOnlyHasNoRank() throws {
    let table = scored([[0.5, 0.5], [0.25, 0.75]], [[1], [1]])
    #expect(try value("auc", table) == nil)
    #expect(try value("average_precision", table) == nil)
    #expect(try value("accuracy", table) == 0.5)
    #expect(MetricCatalog.entry("average_precision")?.chance(table.table) == nil)
  }

  @Test func noSamplesHaveNoNumbers() throws {
    for question in PredictionTable.Question.allCases {
      let empty = scored([], [], question)
      for entry in MetricCatalog.all { #expect(entry.value(empty, nil) == nil, "\(entry.name)") }
      #expect(CalibrationCurve(empty) == nil)
    }
    for entry in MetricCatalog.all { #expect(entry.value(threeClasses, [0, 0, 0]) == nil, "\(entry.name)") }
  }

  @Test func whatIsNoNumberMakesAllUndefinedUnlessItDoesNotCount() {
    for question in PredictionTable.Question.allCases {
      let rows = [[0.75, 0.125, 0.125], [.nan, .nan, .nan], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]
      let table = scored(rows, [[0], [0], [1], [2]], question)
      #expect(table.undefinedCount == 1)
      for entry in MetricCatalog.entries(for: table.table) {
        #expect(entry.value(table, nil) == nil, "\(entry.name)")
        #expect(entry.value(table, [1, 0, 1, 1]) != nil, "\(entry.name)")
      }
      #expect(CalibrationCurve(table) == nil && CalibrationCurve(table, weights: [1, 0, 1, 1]) != nil)
    }
    let hidden = scored([[.nan, 0.75], [0.5, 0.25]], [[], [1]], .each, unknown: [[0], []])
    #expect(hidden.undefinedCount == 0)
    #expect(MetricCatalog.entry("accuracy")?.value(hidden, nil) == 1.0 / 3)
  }

  @Test(arguments: [Double.nan, -1, .infinity]) func oddWeightsMakeNumbersUndefined(_ odd: Double) {
    for entry in MetricCatalog.entries(for: threeClasses.table) {
      #expect(entry.value(threeClasses, [1, odd, 1]) == nil, "\(entry.name)")
    }
    #expect(CalibrationCurve(threeClasses, weights: [1, odd, 1]) == nil)
  }

  @Test func anImpossibleTruthCostsWhatScikitLearnSays() throws {
    let table = scored([[1, 0], [0, 1]], [[1], [1]])
    #expect(try isNear(value("log_loss", table), (52 * log(2) + 0x1p-52) / 2))
  }

  @Test func chanceIsWhatGuessingGives() throws {
    func chance(_ name: String, _ scored: ScoredTable) throws -> Double? {
      try #require(MetricCatalog.entry(name), "\(name)").chance(scored.table)
    }
    let each = scored(
      [[0.75, 0.25], [0.25, 0.25], [0.5, 0.75]], [[0], [0], [1]], .each, unknown: [[], [1], []])
    #expect(try chance("accuracy", threeClasses) == 1.0 / 3)
    #expect(try chance("accuracy", each) == 0.5)
    #expect(try chance("balanced_accuracy", threeClasses) == 1.0 / 3)
    #expect(try chance("top2_accuracy", threeClasses) == 2.0 / 3)
    #expect(try chance("auc", threeClasses) == 0.5)
    #expect(try chance("f1", each) == nil)
    // Classes 0 and 2 are there in two and one of three samples.
    #expect(try chance("average_precision", threeClasses) == 0.5)
    #expect(try isNear(chance("average_precision", each), (2.0 / 3 + 0.5) / 2))
    #expect(try chance("log_loss", threeClasses) == log(3))
    #expect(try chance("log_loss", each) == log(2))
    #expect(try isNear(chance("brier", threeClasses), 2.0 / 3))
    #expect(try chance("brier", each) == 0.25)
  }

  @Test func uniformGuessesEarnTheirChance() throws {
    for question in PredictionTable.Question.allCases {
      for width in 2...5 {
        let guess = question == .each ? 0.5 : 1 / Double(width)
        let rows = [[Double]](repeating: [Double](repeating: guess, count: width), count: width)
        let table = scored(rows, (0..<width).map { [$0] }, question)
        for entry in MetricCatalog.entries(for: table.table) where entry.name != "f1" {
          // Half of the single questions are no, and no is what even odds say.
          if question == .each && entry.name == "accuracy" { continue }
          let (found, chance) = (entry.value(table, nil), try #require(entry.chance(table.table)))
          #expect(found.map { abs($0 - chance) < 1e-14 } ?? false, "\(entry.name) of \(width)")
        }
      }
    }
  }

  @Test func temperatureChangesProbabilitiesAndNotTheirOrder() throws {
    let table = PredictionTable(
      classNames: ["a", "b", "c"], question: .oneOf, logits: [2000, 1, 5, 0, -1, 3], labels: [[2], [2]])
    for temperature in [0.5, 1, 100] {
      let scored = ScoredTable(table, temperature: temperature)
      #expect(scored.probabilities == table.probabilities(temperature: temperature))
      #expect(scored.predictions == [0, 2])
      // The probabilities of the first sample's second and third class may both be 0; their logits are not equal.
      #expect(try value("top2_accuracy", scored) == 1)
    }
  }
}
