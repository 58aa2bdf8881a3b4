/// Scores of samples that have one class each.
public enum Classification {
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

  /// Softmax of each row.
  public static func probabilities(_ scores: [[Float]]) -> [[Float]] {
    scores.map { row in Softmax.rows(row.map(Double.init), width: row.count).map { Float($0) } }
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
