import Foundation

/// Means over samples, or over the known cells of a table in which each class is a question of its own.
extension MetricCatalog {
  /// Share of right answers: the likeliest class, or yes where the probability is above 1/2.
  static let accuracy = Entry("accuracy", "Accuracy", note: commonerShare, chance: uniformShare) {
    scored, weights in
    scored.mean(scored.rows.hits, weights)
  }

  /// Share of samples whose class is one of the two likeliest, the first of equal ones.
  static let topTwoAccuracy = Entry(
    "top2_accuracy", "Top-2 accuracy", questions: [.oneOf], leastClassCount: 3,
    chance: { 2 / Double($0.classCount) }
  ) { scored, weights in
    scored.mean(scored.rows.topTwo, weights)
  }

  /// Mean of -log of the probability of what is true, in nats; probabilities are kept 2⁻⁵² from 0 and from 1.
  static let logLoss = Entry(
    "log_loss", "Log-loss", largest: { _ in nil },
    chance: { $0.question == .each ? log(2) : log(Double($0.classCount)) }
  ) { scored, weights in
    scored.mean(scored.rows.losses, weights)
  }

  /// Mean squared difference between probability and truth: of two classes that of the second, of more the sum.
  static let brier = Entry(
    "brier", "Brier score", largest: { $0.question == .each || $0.classCount == 2 ? 1 : 2 },
    chance: { table in
      let count = Double(table.classCount)
      return table.question == .each || table.classCount == 2 ? 0.25 : (count - 1) / count
    }
  ) { scored, weights in
    scored.mean(scored.rows.squares, weights)
  }

  /// Share of right answers when every answer is as likely.
  @Sendable static func uniformShare(_ table: PredictionTable) -> Double? {
    table.question == .each ? 0.5 : 1 / Double(table.classCount)
  }

  /// What the commoner answer to each class's question earns, where guessing earns half; nil where that is no more.
  @Sendable private static func commonerShare(_ table: PredictionTable) -> String? {
    guard table.question == .each else { return nil }
    let counts = table.classCounts
    let known = counts.reduce(0) { $0 + $1.positive + $1.negative }
    let right = counts.reduce(0) { $0 + max($1.positive, $1.negative) }
    if 2 * right == known { return nil }
    return "always the commoner answer: \(String(format: "%.1f", 100 * Double(right) / Double(known))) %"
  }
}
