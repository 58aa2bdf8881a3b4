import Foundation

extension Classification {
  /// Share of samples whose label is among the `k` highest scores; the first of equal scores wins.
  ///
  /// In 0 … 1.
  public static func accuracy(scores: [[Float]], labels: [Int], k: Int) -> Double? {
    if scores.isEmpty { return nil }
    let hits = zip(scores, labels).count { row, label in
      row.indices.count { row[$0] > row[label] || (row[$0] == row[label] && $0 < label) } < k
    }
    return Double(hits) / Double(scores.count)
  }

  /// Mean of -log of the probability that a softmax over each row gives its label, in nats.
  public static func logLoss(logits: [[Float]], labels: [Int]) -> Double? {
    if logits.isEmpty { return nil }
    let total = zip(logits, labels).reduce(0.0) { sum, pair in
      let top = Double(pair.0.max() ?? 0)
      return sum + log(pair.0.reduce(0.0) { $0 + exp(Double($1) - top) }) + top - Double(pair.0[pair.1])
    }
    return total / Double(logits.count)
  }
}
