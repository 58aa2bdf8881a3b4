/// How rows of a packed tensor form sequences, and which keys each may see.
///
/// Sequence `s` is rows `offsets[s] ..< offsets[s + 1]`. Row `t` of it sees keys `0 ..< visible(t)` of the same
/// sequence: all of the first `keyCounts[s]`, and under `isCausal` none after `t`. A row that would see nothing sees
/// the first. No padding is stored or computed.
///
/// Under `sharesFirst` the first sequence is the common beginning of all others: each of their rows also sees all of
/// its rows, in front of the keys of its own sequence.
public struct SequenceLayout: Sendable, Equatable {
  /// First row of each sequence, and the number of rows at the end.
  public let offsets: [Int]
  /// Keys that may be seen in each sequence; the rows behind them (GPT-2's padding slot) only look.
  public let keyCounts: [Int]
  /// Whether a row sees no later row.
  public let isCausal: Bool
  /// Whether the rows of the first sequence are seen by all sequences.
  public let sharesFirst: Bool

  /// Makes a layout from sequence lengths; `keyCounts` nil makes every row a key.
  public init(lengths: [Int], keyCounts: [Int]? = nil, isCausal: Bool, sharesFirst: Bool = false) {
    offsets = lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    self.keyCounts = keyCounts ?? lengths
    self.isCausal = isCausal
    self.sharesFirst = sharesFirst
    precondition(
      lengths.count == self.keyCounts.count && zip(lengths, self.keyCounts).allSatisfy { $0 > 0 && $1 <= $0 },
      "sequence layout: lengths \(lengths.prefix(8)), keys \(self.keyCounts.prefix(8))")
    precondition(
      !sharesFirst || self.keyCounts.first == lengths.first,
      "sequence layout: \(self.keyCounts.first ?? 0) keys in \(lengths.first ?? 0) rows that all sequences share"
    )
  }

  /// `count` sequences of one length that see each other's rows in full, as image tokens do.
  public static func uniform(count: Int, length: Int) -> SequenceLayout {
    SequenceLayout(lengths: Array(repeating: length, count: count), isCausal: false)
  }

  /// Number of sequences.
  public var count: Int { keyCounts.count }

  /// Rows in all.
  public var rowCount: Int { offsets.last ?? 0 }

  /// Rows of one sequence.
  public func length(_ sequence: Int) -> Int { offsets[sequence + 1] - offsets[sequence] }

  /// Rows of the first sequence that the rows of `sequence` see in front of their own.
  @inline(__always)
  func sharedCount(_ sequence: Int) -> Int { sharesFirst && sequence > 0 ? offsets[1] : 0 }

  /// Keys of its own sequence that row `row` of `sequence` sees, at least one unless it sees shared rows.
  @inline(__always)
  func visible(_ sequence: Int, _ row: Int) -> Int {
    let keys = keyCounts[sequence]
    return max(sharedCount(sequence) > 0 ? 0 : 1, isCausal ? min(keys, row + 1) : keys)
  }
}
