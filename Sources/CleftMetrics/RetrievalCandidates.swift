/// What queries are sought among: which candidates match a query, and which have its labels.
struct RetrievalCandidates: Sendable {
  /// What one query found.
  struct Found: Sendable {
    /// 1 where a match is among the first `k`, for each depth.
    var hits: [Double]
    /// Share of the first `k` with the query's labels, for each depth.
    var precisions: [Double]
    /// Whether that share is lower because a right candidate behind the first `k` scores the same as a wrong one among them,
    /// for each depth.
    var losesByTies: [Bool]
  }

  /// A candidate among the first.
  private struct Place {
    /// Its score, and what it is ranked by: wrong candidates are raised.
    let plain, score: Float
    let isRight: Bool
  }

  /// Pairs.
  let count: Int
  /// Number of the group and of the set of labels of each pair, without gaps.
  private let groups, labelSets: [Int]
  /// Pairs of each group, and how many have each set of labels.
  private let members: [[Int]]
  private let labelSetSizes: [Int]

  init(groups: [Int], labels: [[Int]]) {
    count = groups.count
    self.groups = Self.numbers(groups)
    labelSets = Self.numbers(labels)
    var members = [[Int]](repeating: [], count: (self.groups.max() ?? -1) + 1)
    for (pair, group) in self.groups.enumerated() { members[group].append(pair) }
    self.members = members
    var sizes = [Int](repeating: 0, count: (labelSets.max() ?? -1) + 1)
    for set in labelSets { sizes[set] += 1 }
    labelSetSizes = sizes
  }

  /// Numbers from 0 for what is equal.
  private static func numbers<Key: Hashable>(_ keys: [Key]) -> [Int] {
    var known: [Key: Int] = [:]
    return keys.map { key in
      let number = known[key] ?? known.count
      known[key] = number
      return number
    }
  }

  /// Reads one query's scores; those that are no numbers stand nowhere.
  func found(_ query: Int, _ scores: UnsafeBufferPointer<Float>) -> Found {
    let rank = matchRank(query, scores)
    let first = first(query, scores)
    return Found(
      hits: BlockRetrieval.depths.map { depth in (rank.map { $0 < depth } ?? false) ? 1 : 0 },
      precisions: BlockRetrieval.depths.map { depth in
        Double(first.prefix(depth).count { $0.isRight }) / Double(depth)
      }, losesByTies: BlockRetrieval.depths.map { losesByTies(query, scores, first.prefix($0)) })
  }

  /// How many wrong candidates stand before the best match; nil if no match has a score.
  private func matchRank(_ query: Int, _ scores: UnsafeBufferPointer<Float>) -> Int? {
    let own = members[groups[query]]
    guard let best = own.map({ scores[$0] }).filter({ !$0.isNaN }).max() else { return nil }
    var rank = 0
    for score in scores where score + BlockRetrieval.tieWidth >= best { rank += 1 }
    return rank - own.count { scores[$0] + BlockRetrieval.tieWidth >= best }
  }

  /// The highest scores; of equal ones those with other labels than the query's first.
  private func first(_ query: Int, _ scores: UnsafeBufferPointer<Float>) -> [Place] {
    let depth = BlockRetrieval.depths.max() ?? 0
    let own = labelSets[query]
    var first: [Place] = []
    first.reserveCapacity(depth + 1)
    var least = -Float.infinity
    for (candidate, plain) in scores.enumerated() {
      if plain.isNaN || plain + BlockRetrieval.tieWidth < least { continue }
      let isRight = labelSets[candidate] == own
      let score = isRight ? plain : plain + BlockRetrieval.tieWidth
      var place = first.count
      while place > 0,
        first[place - 1].score < score
          || (first[place - 1].score == score && first[place - 1].isRight && !isRight)
      { place -= 1 }
      if place >= depth { continue }
      first.insert(Place(plain: plain, score: score, isRight: isRight), at: place)
      if first.count > depth { first.removeLast() }
      if first.count == depth { least = first[depth - 1].score }
    }
    return first
  }

  /// Whether a right candidate that is not among the first scores the same as a wrong one that is.
  private func losesByTies(
    _ query: Int, _ scores: UnsafeBufferPointer<Float>, _ first: ArraySlice<Place>
  ) -> Bool {
    guard let least = first.filter({ !$0.isRight }).map(\.plain).min() else { return false }
    let own = labelSets[query]
    var others = 0
    for (candidate, plain) in scores.enumerated() where plain + BlockRetrieval.tieWidth >= least {
      others += labelSets[candidate] == own ? 1 : 0
    }
    return others > first.count { $0.isRight && $0.plain + BlockRetrieval.tieWidth >= least }
  }

  /// Mean probability that a random order has a match among the first `depth`.
  func recallChance(_ depth: Int) -> Double? {
    if count == 0 { return nil }
    let sum = members.reduce(0.0) { sum, group in
      var miss = 1.0
      for place in 0..<min(depth, count) {
        miss *= Double(max(0, count - group.count - place)) / Double(count - place)
      }
      return sum + Double(group.count) * (1 - miss)
    }
    return sum / Double(count)
  }

  /// Mean share of candidates with the query's labels.
  var precisionChance: Double? {
    if count == 0 { return nil }
    return labelSetSizes.reduce(0.0) { $0 + Double($1) * Double($1) } / (Double(count) * Double(count))
  }

  /// Why there is no precision among the first `depth`; nil if there is.
  func precisionReason(_ depth: Int) -> String? {
    if count == 0 { return "no pairs" }
    if labelSetSizes.count == 1 { return "all pairs have the same labels" }
    return count < depth ? "only \(count) pairs to retrieve from" : nil
  }
}
