/// A piece of one of several tensors.
struct FlatPiece {
  /// Which tensor.
  let part: Int
  /// Which of its elements.
  let range: Range<Int>
}

/// Pieces of many tensors that one parallel region works off.
///
/// Where a piece ends depends on shapes alone, and results come back in the order of the pieces: what is summed from them
/// is the same for every thread count.
struct FusedPass<Piece> {
  /// Elements of a piece, about.
  static var pieceLength: Int { 1 << 15 }

  let pieces: [Piece]
  private let isSmall: Bool

  /// - Parameter elementCount: elements of all pieces; a few are worked off on the caller's thread.
  init(_ pieces: [Piece], elementCount: Int) {
    self.pieces = pieces
    isSmall = elementCount <= Self.pieceLength
  }

  /// Calls `body` once for each piece, with its index.
  func run(_ body: (_ index: Int, _ piece: Piece) -> Void) {
    if isSmall {
      for (index, piece) in pieces.enumerated() { body(index, piece) }
    } else {
      spread(pieces.count) { body($0, pieces[$0]) }
    }
  }

  /// What `body` gives for each piece.
  func map<Result>(_ body: (Piece) -> Result) -> [Result] {
    Array(unsafeUninitializedCapacity: pieces.count) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      run { index, piece in (base + index).initialize(to: body(piece)) }
      count = pieces.count
    }
  }
}

extension FusedPass<FlatPiece> {
  /// Tensors of these sizes, cut into pieces.
  init(counts: [Int]) {
    var pieces: [FlatPiece] = []
    for (part, count) in counts.enumerated() {
      for start in stride(from: 0, to: count, by: Self.pieceLength) {
        pieces.append(FlatPiece(part: part, range: start..<min(start + Self.pieceLength, count)))
      }
    }
    self.init(pieces, elementCount: counts.reduce(0, +))
  }

  /// The first part for which `body` gives a word with its highest bit set.
  func firstBroken(_ body: (FlatPiece) -> UInt32) -> Int? {
    map(body).firstIndex { $0 >> 31 != 0 }.map { pieces[$0].part }
  }
}
