import CleftMetrics
import Foundation

/// A table of predictions that `Tests/Fixtures/metrics/make.py` draws the same way, number by number.
struct ScikitLearnCase {
  /// What scikit-learn makes of a table.
  struct Expected: Decodable {
    /// One a metric; nil where it is undefined or not asked.
    let values: [Double?]
    /// Length of a curve and sums of `place · x` and `place · y` over it.
    let roc, roc_all, pr, pr_all: [Double]?
    /// Best threshold and what it gives.
    let f1, youden: [Double]?
    /// Shares and mean probabilities of the bins that are not empty, and how many bins there are.
    let uniform, quantile: [[Double]]?
    let bins: Int?
  }

  /// The fixture's file.
  struct File: Decodable {
    let metrics: [String]
    let cases: [Expected]

    static func read() throws -> File {
      let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/metrics/expected.json")
      return try JSONDecoder().decode(File.self, from: Data(contentsOf: path))
    }
  }

  enum Kind { case binary, classes, labels }

  let kind: Kind
  let width: Int
  let weights: [Double]?
  private(set) var probabilities: [Double] = []
  private(set) var labels: [[Int]] = []
  private(set) var unknown: [[Int]] = []

  init(_ index: Int) {
    var draws = Draws(state: UInt64(7 * index + 1))
    kind = [.binary, .binary, .classes, .classes, .labels][index % 5]
    let count = 2 + (draws.below(3) == 0 ? draws.below(10) : draws.below(199))
    width = kind == .binary ? 2 : kind == .classes ? 3 + draws.below(5) : 1 + draws.below(5)
    let grain = [4, 10, 1000, 1 << 30][draws.below(4)]
    let isSingle = draws.below(10) == 0
    let only = draws.below(width)
    let weightKind = draws.below(3)
    let hasUnknown = draws.below(2) == 0
    let present = 2 + draws.below(max(width - 1, 1))
    for _ in 0..<count {
      let label: Int
      switch kind {
      case .binary: label = Self.binary(&draws, grain, &probabilities)
      case .classes: label = Self.classes(&draws, grain, width, present, &probabilities)
      case .labels:
        let cells = (0..<width).map { _ in Self.cell(&draws, grain) }
        probabilities += cells.map(\.probability)
        labels.append(cells.indices.filter { isSingle ? only == 0 : cells[$0].isPositive })
        unknown.append(cells.indices.filter { hasUnknown && cells[$0].isHidden })
        continue
      }
      labels.append([isSingle ? only : label])
    }
    switch weightKind {
    case 0: weights = nil
    case 1: weights = (0..<count).map { _ in Double(draws.below(4)) }
    default: weights = (0..<count).map { _ in draws.below(5) == 0 ? 0 : draws.uniform() }
    }
  }

  /// The table, whose probabilities are its logits: no exponential stands between the two programs.
  var scored: ScoredTable {
    let table = PredictionTable(
      classNames: (0..<width).map { "class \($0)" }, question: kind == .labels ? .each : .oneOf,
      logits: probabilities, labels: labels, unknown: unknown.allSatisfy(\.isEmpty) ? [] : unknown)
    return ScoredTable(table, probabilities: probabilities)
  }

  private static func binary(_ draws: inout Draws, _ grain: Int, _ probabilities: inout [Double]) -> Int {
    let probability = Double(draws.below(grain + 1)) / Double(grain)
    probabilities += [1 - probability, probability]
    return draws.uniform() < 0.2 + 0.6 * probability ? 1 : 0
  }

  private static func classes(
    _ draws: inout Draws, _ grain: Int, _ width: Int, _ present: Int, _ probabilities: inout [Double]
  ) -> Int {
    var parts = (0..<width).map { _ in draws.below(grain + 1) }
    if parts.allSatisfy({ $0 == 0 }) { parts[0] = 1 }
    let sum = parts.reduce(0, +)
    let best = parts.firstIndex(of: parts.max() ?? 0) ?? 0
    let isBest = draws.uniform() < 0.5
    let other = draws.below(present)
    probabilities += parts.map { Double($0) / Double(sum) }
    return isBest && best < present ? best : other
  }

  private static func cell(
    _ draws: inout Draws, _ grain: Int
  ) -> (probability: Double, isPositive: Bool, isHidden: Bool) {
    let probability = Double(draws.below(grain + 1)) / Double(grain)
    let isPositive = draws.uniform() < 0.2 + 0.6 * probability
    return (probability, isPositive, draws.uniform() < 0.15)
  }
}

/// splitmix64 in sequence.
private struct Draws {
  var state: UInt64

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ count: Int) -> Int { Int(bits() % UInt64(count)) }

  mutating func uniform() -> Double { Double(bits() >> 11) * 0x1p-53 }
}
