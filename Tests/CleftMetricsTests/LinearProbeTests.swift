import CleftMetrics
import CleftTensor
import Foundation
import Testing

/// scikit-learn's linear classifiers of the same rows.
struct ProbeFixture: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    let method: ProbeMethod
    let labels: String
    let strength: Double
    let coefficients: [[Double]]
    let intercepts: [Double]

    var testDescription: String { "\(method), \(labels), \(strength)" }
  }

  let width: Int
  let features: [Float]
  let means, deviations: [Double]
  let four, two: [Int]
  let each, known: [[Int]]
  let cases: [Case]

  static let shared: ProbeFixture = {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/probe/probe.json")
    do {
      return try JSONDecoder().decode(ProbeFixture.self, from: Data(contentsOf: path))
    } catch {
      fatalError("\(path.path): \(error)")
    }
  }()

  var matrix: FeatureMatrix { FeatureMatrix(values: features, width: width) }

  var rows: StandardizedRows {
    let all = Array(0..<matrix.count)
    return StandardizedRows(matrix, rows: all, scale: FeatureScale(matrix, rows: all))
  }

  func targets(_ labels: String) -> ProbeTargets {
    switch labels {
    case "four": ProbeTargets(question: .oneOf, classCount: 4, labels: four.map { [$0] })
    case "two": ProbeTargets(question: .oneOf, classCount: 2, labels: two.map { [$0] })
    default:
      ProbeTargets(
        question: .each, classCount: 3, labels: each.map { row in row.indices.filter { row[$0] == 1 } },
        unknown: known.map { row in row.indices.filter { row[$0] == 0 } })
    }
  }
}

@Suite struct LinearProbeTests {
  private static let fixture = ProbeFixture.shared

  private func fit(_ method: ProbeMethod, _ targets: ProbeTargets, _ strength: Double) -> LinearProbe {
    let rows = Self.fixture.rows
    if method == .ridge { return RidgeProbe(rows, targets).fit(alpha: strength) }
    let fit = LogisticProbe(rows, targets).fit(c: strength)
    #expect(fit.isConverged && fit.gradientNorm < 1e-8)
    return fit.probe
  }

  @Test func scalesAreScikitLearns() {
    let scale = Self.fixture.rows.scale
    #expect(scale.columns == [0, 1, 2, 3, 5, 6, 7, 8])
    for (place, column) in scale.columns.enumerated() {
      #expect(abs(scale.means[place] - Self.fixture.means[column]) < 1e-12)
      #expect(abs(scale.deviations[place] - Self.fixture.deviations[column]) < 1e-12)
    }
  }

  @Test(arguments: ProbeFixture.shared.cases)
  func weightsAreScikitLearns(_ example: ProbeFixture.Case) {
    let probe = fit(example.method, Self.fixture.targets(example.labels), example.strength)
    let isPair = example.labels == "two"
    // Of two classes scikit-learn has the second one's regression, or the difference of the logits.
    let back = isPair && example.method == .logistic ? 1.0 : 0
    let largest = example.coefficients.joined().reduce(1) { max($0, abs($1)) }
    for (row, wanted) in example.coefficients.enumerated() {
      let label = isPair ? 1 : row
      var found = [Double](repeating: 0, count: Self.fixture.width)
      let (own, other) = (probe.coefficients(of: label), probe.coefficients(of: 0))
      for (place, column) in probe.scale.columns.enumerated() {
        found[column] = own[place] - back * other[place]
      }
      for column in found.indices { #expect(abs(found[column] - wanted[column]) < 1e-6 * largest) }
      let intercept = probe.intercepts[label] - back * probe.intercepts[0]
      #expect(abs(intercept - example.intercepts[row]) < 1e-6 * largest)
    }
  }

  @Test func theCasesAreAllThere() {
    #expect(Self.fixture.cases.count == 18)
  }

  @Test func ofTwoClassesTheScoresOfARidgeAreEachOthersNegatives() {
    let probe = fit(.ridge, Self.fixture.targets("two"), 1)
    let logits = probe.logits(Self.fixture.matrix, rows: [3, 4])
    #expect(logits[0] == -logits[1] && logits[2] == -logits[3])
  }

  @Test func goingOnFromAnotherStrengthEndsInTheSamePlace() {
    let logistic = LogisticProbe(Self.fixture.rows, Self.fixture.targets("four"))
    let direct = logistic.fit(c: 1).probe.weights
    let after = logistic.fit(c: 1, from: logistic.fit(c: 100)).probe.weights
    for (one, other) in zip(direct, after) { #expect(abs(one - other) < 1e-8) }
  }

  @Test func aSeparableProblemStaysFinite() {
    // Two groups far apart, with more features than rows.
    var generator = RandomKey(seed: 1).generator
    let values = (0..<12 * 30).map { Float(generator.normal()) + ($0 < 180 ? 5 : -5) }
    let features = FeatureMatrix(values: values, width: 30)
    let rows = Array(0..<12)
    let standardized = StandardizedRows(features, rows: rows, scale: FeatureScale(features, rows: rows))
    let targets = ProbeTargets(question: .oneOf, classCount: 2, labels: rows.map { [$0 < 6 ? 0 : 1] })
    let fit = LogisticProbe(standardized, targets).fit(c: 1e4)
    #expect(fit.isConverged)
    #expect(fit.probe.weights.allSatisfy { $0.isFinite && abs($0) < 100 })
    let logits = fit.probe.logits(features, rows: rows)
    #expect(rows.allSatisfy { (logits[$0 * 2] > logits[$0 * 2 + 1]) == ($0 < 6) })
  }

  @Test func aClassThatNoRowHasIsUnlikelyAndSaid() {
    let labels = Self.fixture.four.map { [$0] }
    let targets = ProbeTargets(question: .oneOf, classCount: 5, labels: labels)
    let logistic = LogisticProbe(Self.fixture.rows, targets)
    #expect(logistic.unlearnable == [4])
    let probe = logistic.fit(c: 1).probe
    let known = LogisticProbe(Self.fixture.rows, Self.fixture.targets("four")).fit(c: 1).probe
    #expect(probe.coefficients(of: 2) == known.coefficients(of: 2))
    #expect(abs(probe.intercepts[4] + log(180)) < 1e-12)
    // Whoever is asked for each class by itself learns the share of what all rows have.
    let all = ProbeTargets(question: .each, classCount: 2, labels: labels.map { $0[0] < 2 ? [0, 1] : [0] })
    let each = LogisticProbe(Self.fixture.rows, all)
    #expect(each.unlearnable == [0])
    #expect(abs(each.fit(c: 1).probe.intercepts[0] - log(90.5 / 0.5)) < 1e-12)
  }
}

@Suite struct ProbeSearchTests {
  /// Three classes that ten features tell apart with some noise, five pictures a patient.
  private func samples(_ count: Int, _ seed: UInt64) -> ProbeSamples {
    var generator = RandomKey(seed: seed).generator
    var values: [Float] = []
    var labels: [[Int]] = []
    for row in 0..<count {
      let label = row / 5 % 3
      labels.append([label])
      for feature in 0..<10 { values.append(Float(generator.normal()) + (feature % 3 == label ? 1 : 0)) }
    }
    return ProbeSamples(
      features: FeatureMatrix(values: values, width: 10),
      targets: ProbeTargets(question: .oneOf, classCount: 3, labels: labels),
      patients: (0..<count).map { $0 / 5 })
  }

  @Test(arguments: ProbeMethod.allCases)
  func theStrengthIsThatOfTheLeastValidationLoss(_ method: ProbeMethod) {
    let (training, held) = (samples(60, 1), samples(300, 2))
    let rows = Array(0..<60)
    let fitted = ProbeSearch(method, training: training, validation: held, key: RandomKey(seed: 0)).fit(rows)
    let trials = fitted.choice.trials
    #expect(fitted.choice.judge == .validation && trials.count >= 5)
    let least = trials.min { $0.loss < $1.loss }
    #expect(least?.strength == fitted.choice.strength)
    // The probe is the one of that strength.
    let scores = fitted.probe.logits(held.features, rows: Array(0..<held.count))
    let (sum, count) = method.loss(scores, held.targets)
    #expect(count >= 300 && abs(sum / Double(count) - (least?.loss ?? 0)) < 1e-9)
    #expect(!fitted.choice.isAtEnd)
  }

  @Test func withoutValidationPatientsAreDealtIntoFolds() {
    let training = samples(90, 3)
    let search = ProbeSearch(.logistic, training: training, validation: nil, key: RandomKey(seed: 0))
    let fitted = search.fit(Array(0..<90))
    #expect(fitted.choice.judge == .folds && fitted.choice.foldCount == 5)
    #expect(fitted.choice == search.fit(Array(0..<90)).choice)
    // Two patients of each class make two folds; one of each makes none.
    let two = search.fit(Array(0..<30))
    #expect(two.choice.foldCount == 2)
    let one = search.fit(Array(0..<15))
    #expect(one.choice.judge == .none && one.choice.strength == 1 && one.choice.trials.isEmpty)
  }

  @Test func aStrengthAtTheEndIsSaid() {
    // Labels that have nothing to do with the features: the largest penalty is the best.
    var generator = RandomKey(seed: 9).generator
    let values = (0..<80 * 6).map { _ in Float(generator.normal()) }
    func noise(_ rows: Range<Int>) -> ProbeSamples {
      ProbeSamples(
        features: FeatureMatrix(values: Array(values[rows.lowerBound * 6..<rows.upperBound * 6]), width: 6),
        targets: ProbeTargets(question: .oneOf, classCount: 2, labels: rows.map { [$0 % 2] }),
        patients: Array(0..<rows.count))
    }
    let (training, held) = (noise(0..<40), noise(40..<80))
    // The same labels turned round in what is held out.
    let turned = ProbeSamples(
      features: training.features,
      targets: ProbeTargets(
        question: .oneOf, classCount: 2, labels: training.targets.labels.map { [1 - $0[0]] }),
      patients: held.patients)
    let search = ProbeSearch(.logistic, training: training, validation: turned, key: RandomKey(seed: 0))
    let choice = search.fit(Array(0..<40)).choice
    #expect(choice.isAtEnd && choice.strength == ProbeMethod.logistic.grid[0])
  }
}
