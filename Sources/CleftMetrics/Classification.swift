import Foundation

/// Scores of single-class and binary predictions over a whole set.
public enum Classification {
  /// Share of samples whose highest score is their label's; the first of equal scores wins.
  ///
  /// In 0 … 1.
  public static func accuracy(scores: [[Float]], labels: [Int]) -> Double? {
    if scores.isEmpty { return nil }
    let hits = zip(scores, labels).filter { prediction($0) == $1 }.count
    return Double(hits) / Double(scores.count)
  }

  /// The class with the highest score, the first of equal ones.
  public static func prediction(_ scores: [Float]) -> Int {
    var best = 0
    for (index, score) in scores.enumerated() where score > scores[best] { best = index }
    return best
  }

  /// Counts of samples: row = true class, column = predicted class.
  public static func confusion(scores: [[Float]], labels: [Int], classCount: Int) -> [[Int]] {
    var counts = [[Int]](repeating: [Int](repeating: 0, count: classCount), count: classCount)
    for (row, label) in zip(scores, labels) { counts[label][prediction(row)] += 1 }
    return counts
  }

  /// Probability that a positive scores above a negative, ties counting half; nil with one class only, and with scores
  /// that are no numbers, which have no order.
  ///
  /// - Source: equals the trapezoidal area under the ROC curve.
  public static func auc(scores: [Float], isPositive: [Bool]) -> Double? {
    RankedScores(scores: scores.map(Double.init), isPositive: isPositive).auc()
  }

  /// Mean over classes of each class's AUC against the rest; nil when no class has both kinds of samples.
  public static func macroAUC(scores: [[Float]], labels: [Int], classCount: Int) -> Double? {
    let values = (0..<classCount).compactMap { label in
      auc(scores: scores.map { $0[label] }, isPositive: labels.map { $0 == label })
    }
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Softmax of each row.
  public static func probabilities(_ scores: [[Float]]) -> [[Float]] {
    scores.map { row in
      let top = row.max() ?? 0
      let exponentials = row.map { exp(Double($0 - top)) }
      let sum = exponentials.reduce(0, +)
      return exponentials.map { Float($0 / sum) }
    }
  }
}

/// Retrieval within a batch of matched pairs.
public enum Retrieval {
  /// Share of rows and columns with a match among the `k` highest scores, mean of both directions, 0 … 1.
  ///
  /// - Parameters:
  ///   - scores: square, row-major; row = image, column = caption.
  ///   - groups: one number a pair; pairs of one number match each other too. Nil: none do.
  public static func accuracy(scores: [Float], count: Int, k: Int, groups: [Int]? = nil) -> Double {
    /// Whether fewer than `k` of those that are no match of pair `i` stand before the best match.
    func isHit(_ i: Int, _ score: (Int) -> Float) -> Bool {
      func isMatch(_ j: Int) -> Bool { j == i || (groups.map { $0[i] == $0[j] } ?? false) }
      var best = i
      for j in 0..<count where isMatch(j) && (score(j) > score(best) || (score(j) == score(best) && j < best))
      {
        best = j
      }
      let own = score(best)
      // What is no number is in no place.
      if own.isNaN { return false }
      var rank = 0
      for j in 0..<count where !isMatch(j) && (score(j) > own || (score(j) == own && j < best)) { rank += 1 }
      return rank < k
    }
    var hits = 0
    for i in 0..<count {
      hits += isHit(i) { scores[i * count + $0] } ? 1 : 0
      hits += isHit(i) { scores[$0 * count + i] } ? 1 : 0
    }
    return Double(hits) / Double(2 * count)
  }
}
