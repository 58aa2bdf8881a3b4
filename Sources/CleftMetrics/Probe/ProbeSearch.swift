import CleftTensor
import Foundation

/// Features of some samples with what is true of them.
public struct ProbeSamples: Sendable {
  /// A row a sample.
  public let features: FeatureMatrix
  /// What is true of each.
  public let targets: ProbeTargets
  /// Whom each is of.
  public let patients: [Int]

  /// Joins the three.
  public init(features: FeatureMatrix, targets: ProbeTargets, patients: [Int]) {
    precondition(
      features.count == targets.count && targets.count == patients.count,
      "probe: \(features.count) features, \(targets.count) targets, \(patients.count) patients")
    (self.features, self.targets, self.patients) = (features, targets, patients)
  }

  /// Samples.
  public var count: Int { patients.count }
}

/// How the strength of a penalty was chosen.
public struct StrengthChoice: Codable, Sendable, Equatable {
  /// What it was judged by.
  public enum Judge: String, Codable, Sendable, Equatable {
    /// A validation set.
    case validation
    /// Parts of the patients, each judged by what was learned from the others.
    case folds
    /// Nothing could be held out: it is scikit-learn's.
    case none
  }

  /// A strength that was tried.
  public struct Trial: Codable, Sendable, Equatable {
    /// The strength, and the mean loss it leads to on what was held out.
    public let strength, loss: Double
  }

  /// The strength.
  public let strength: Double
  /// What it was judged by.
  public let judge: Judge
  /// Parts of the patients; nil without.
  public let foldCount: Int?
  /// What was tried, the largest penalty first.
  public let trials: [Trial]
  /// Whether it is the first or the last strength that would be tried: a better one may lie beyond.
  public let isAtEnd: Bool
}

/// A linear probe that was fitted, and how.
public struct FittedProbe: Sendable {
  /// The classifier.
  public let probe: LinearProbe
  /// How its strength was chosen.
  public let choice: StrengthChoice
  /// Whether the minimum was reached.
  public let isConverged: Bool
  /// Classes that the rows say nothing of: none of them has it, or all have.
  public let unlearnable: [Int]
}

/// Fits linear probes to parts of a training set, and chooses their strengths on samples held out.
///
/// Strengths are tried by decades, from the largest penalty down, until three in a row have not done better than the best;
/// then those half a decade from the best one. The probe is fitted anew to all rows of the part.
public struct ProbeSearch: Sendable {
  private let method: ProbeMethod
  private let training: ProbeSamples
  private let validation: ProbeSamples?
  private let key: RandomKey

  /// Parts that patients are dealt into where there is no validation set, at most.
  public static let foldCount = 5

  /// Prepares a search.
  ///
  /// - Parameters:
  ///   - validation: what strengths are judged by; nil for folds over the patients.
  ///   - key: for dealing patients into folds.
  public init(_ method: ProbeMethod, training: ProbeSamples, validation: ProbeSamples?, key: RandomKey) {
    (self.method, self.training, self.validation, self.key) = (method, training, validation, key)
  }

  /// Fits a probe to some training rows.
  public func fit(_ rows: [Int]) -> FittedProbe {
    let choice = choose(rows)
    var all = ProbeFitter(method, training, rows)
    let probe = all.fit(choice.strength)
    return FittedProbe(
      probe: probe, choice: choice, isConverged: all.isConverged, unlearnable: all.unlearnable)
  }

  // MARK: - Strength

  /// What is learned from, and what it is judged by.
  private struct Part {
    var fitter: ProbeFitter
    let held: ProbeSamples
    let heldRows: [Int]
  }

  private func choose(_ rows: [Int]) -> StrengthChoice {
    let folds = validation == nil ? self.folds(rows) : []
    guard validation != nil || folds.count > 1 else {
      return StrengthChoice(
        strength: method.usualStrength, judge: .none, foldCount: nil, trials: [], isAtEnd: false)
    }
    var parts: [Part]
    if let validation {
      parts = [
        Part(
          fitter: ProbeFitter(method, training, rows), held: validation,
          heldRows: Array(0..<validation.count))
      ]
    } else {
      parts = folds.map { fold in
        let held = Set(fold)
        return Part(
          fitter: ProbeFitter(method, training, rows.filter { !held.contains($0) }), held: training,
          heldRows: fold)
      }
    }
    let grid = method.grid
    var trials: [StrengthChoice.Trial] = []
    var best = 0
    for (index, strength) in grid.enumerated() where index - best < 4 {
      trials.append(StrengthChoice.Trial(strength: strength, loss: loss(strength, &parts)))
      if trials[index].loss < trials[best].loss { best = index }
    }
    let bounds = min(grid[0], grid[grid.count - 1])...max(grid[0], grid[grid.count - 1])
    let center = trials[best].strength
    for strength in [center / 10.0.squareRoot(), center * 10.0.squareRoot()] where bounds.contains(strength) {
      trials.append(StrengthChoice.Trial(strength: strength, loss: loss(strength, &parts)))
    }
    trials.sort { method == .logistic ? $0.strength < $1.strength : $0.strength > $1.strength }
    // Of equal ones the first: the largest penalty.
    let chosen = trials.dropFirst().reduce(trials[0]) { $1.loss < $0.loss ? $1 : $0 }.strength
    return StrengthChoice(
      strength: chosen, judge: validation == nil ? .folds : .validation,
      foldCount: validation == nil ? folds.count : nil, trials: trials,
      isAtEnd: chosen == grid[0] || chosen == grid[grid.count - 1])
  }

  /// The mean loss of all parts on what they have not learned from.
  private func loss(_ strength: Double, _ parts: inout [Part]) -> Double {
    var (sum, count) = (0.0, 0)
    for index in parts.indices {
      let probe = parts[index].fitter.fit(strength)
      let (held, rows) = (parts[index].held, parts[index].heldRows)
      let part = method.loss(probe.logits(held.features, rows: rows), held.targets.rows(rows))
      sum += part.sum
      count += part.count
    }
    return count == 0 ? .infinity : sum / Double(count)
  }

  /// The rows dealt by patient, classes as evenly as they come; fewer folds where a class has few patients, none where one
  /// has a single one.
  private func folds(_ rows: [Int]) -> [[Int]] {
    let strata = PatientStrata(
      training.targets, patients: training.patients, rows: rows, key: key.split("folds"))
    let own = training.targets.rows(rows)
    let patients = (0..<own.classCount).compactMap { label -> Int? in
      let having = Set(
        own.labels.indices.filter { own.labels[$0].contains(label) }.map {
          training.patients[rows[$0]]
        })
      return having.isEmpty ? nil : having.count
    }
    let count = min(Self.foldCount, patients.min() ?? 0)
    guard count > 1 else { return [] }
    var foldOfPatient: [Int: Int] = [:]
    for (place, patient) in strata.patients.joined().enumerated() { foldOfPatient[patient] = place % count }
    let dealt = Dictionary(grouping: rows) { foldOfPatient[training.patients[$0]] ?? 0 }
    return (0..<count).compactMap { dealt[$0] }
  }
}

/// Rows that are summed up once, and fitted at several strengths.
private struct ProbeFitter {
  private enum Sums {
    case logistic(LogisticProbe)
    case ridge(RidgeProbe)
  }

  private let sums: Sums
  private var last: LogisticProbe.Fit?
  private let targets: ProbeTargets

  init(_ method: ProbeMethod, _ samples: ProbeSamples, _ rows: [Int]) {
    let scale = FeatureScale(samples.features, rows: rows)
    let own = StandardizedRows(samples.features, rows: rows, scale: scale)
    targets = samples.targets.rows(rows)
    sums =
      method == .logistic ? .logistic(LogisticProbe(own, targets)) : .ridge(RidgeProbe(own, targets))
  }

  /// Whether the last fit reached its minimum.
  var isConverged: Bool { last?.isConverged ?? true }

  var unlearnable: [Int] {
    (0..<targets.classCount).filter { label in
      let counts = targets.counts(of: label)
      return counts.with == 0 || (targets.question == .each && counts.without == 0)
    }
  }

  mutating func fit(_ strength: Double) -> LinearProbe {
    switch sums {
    case .ridge(let ridge): return ridge.fit(alpha: strength)
    case .logistic(let logistic):
      let fit = logistic.fit(c: strength, from: last)
      last = fit
      return fit.probe
    }
  }
}
