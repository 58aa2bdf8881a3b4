/// Merges neighboring pieces until no merge is left, the best one first, of equally good ones the leftmost.
///
/// A heap and a linked list: n·log n, since a whole text may be one word.
struct PieceMerger: Sendable {
  /// Which pieces merge into which.
  enum Table: Sendable {
    /// Pairs of ids, each with its place in the list of merges and the id it becomes.
    case ranked([Pair: Merge])
    /// Any two pieces whose sum is a piece; the highest score is best.
    case scored(pieces: [Spelling: Int32], scores: [Float])
  }

  struct Pair: Hashable, Sendable {
    let left, right: Int32
  }

  /// What a merge costs (the least is best) and gives.
  struct Merge: Sendable {
    let cost: Double
    let id: Int32
  }

  /// A piece of a word.
  struct Symbol {
    var id: Int32
    /// Its bytes in the word.
    var start, end: Int
    /// Whether it stays as it is.
    var isFrozen = false
  }

  let table: Table

  /// The symbols after all merges.
  ///
  /// - Parameter bytes: the word as UTF-8; only scored tables read it.
  func merge(_ symbols: [Symbol], in bytes: [UInt8]) -> [Symbol] {
    guard symbols.count > 1 else { return symbols }
    var symbols = symbols
    var next = Array(1...symbols.count)
    var previous = Array(-1..<symbols.count - 1)
    var isMerged = Array(repeating: false, count: symbols.count)
    var heap = MergeHeap()
    for left in 0..<symbols.count - 1 {
      if let merge = candidate(symbols[left], symbols[left + 1], bytes) {
        heap.push(.init(cost: merge.cost, position: left, id: merge.id))
      }
    }
    while let top = heap.pop() {
      let left = top.position
      let right = next[left]
      guard !isMerged[left], right < symbols.count,
        let merge = candidate(symbols[left], symbols[right], bytes), merge.id == top.id
      else { continue }
      symbols[left].id = top.id
      symbols[left].end = symbols[right].end
      isMerged[right] = true
      next[left] = next[right]
      if next[right] < symbols.count { previous[next[right]] = left }
      let before = previous[left]
      if before >= 0, let merge = candidate(symbols[before], symbols[left], bytes) {
        heap.push(.init(cost: merge.cost, position: before, id: merge.id))
      }
      let after = next[left]
      if after < symbols.count, let merge = candidate(symbols[left], symbols[after], bytes) {
        heap.push(.init(cost: merge.cost, position: left, id: merge.id))
      }
    }
    return symbols.indices.filter { !isMerged[$0] }.map { symbols[$0] }
  }

  private func candidate(_ left: Symbol, _ right: Symbol, _ bytes: [UInt8]) -> Merge? {
    switch table {
    case .ranked(let merges): return merges[Pair(left: left.id, right: right.id)]
    case .scored(let pieces, let scores):
      guard !left.isFrozen, !right.isFrozen, right.end - left.start <= longest,
        let id = pieces[Spelling(bytes: Array(bytes[left.start..<right.end]))]
      else { return nil }
      return Merge(cost: -Double(scores[Int(id)]), id: id)
    }
  }

  /// Bytes of the longest piece of a scored table.
  private let longest: Int

  init(_ table: Table) {
    self.table = table
    if case .scored(let pieces, _) = table {
      longest = pieces.keys.reduce(0) { max($0, $1.bytes.count) }
    } else {
      longest = 0
    }
  }
}

/// Merges that may be done, the best on top.
private struct MergeHeap {
  struct Entry {
    let cost: Double
    let position: Int
    let id: Int32

    func isBetter(than other: Entry) -> Bool {
      cost != other.cost ? cost < other.cost : position < other.position
    }
  }

  private var entries: [Entry] = []

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBetter(than: entries[parent]) else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let top = entries.first, let last = entries.popLast() else { return nil }
    guard !entries.isEmpty else { return top }
    entries[0] = last
    var parent = 0
    while true {
      var best = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].isBetter(than: entries[best]) {
        best = child
      }
      guard best != parent else { return top }
      entries.swapAt(best, parent)
      parent = best
    }
  }
}
