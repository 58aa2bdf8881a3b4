import CleftTensor

/// Which hidden state stands for a caption.
public enum PooledToken: String, Codable, Sendable, CaseIterable {
  /// The slot behind the last word; position 0 when a caption leaves no slot. As published.
  case firstPad = "first_pad"
  /// The slot behind the last word; the last word when a caption leaves no slot.
  case endOfText = "eos"
  /// The last word.
  case lastWord = "last_word"
  /// The first token; BERT's [CLS].
  case first
}

/// Captions end to end, without padding: what a text tower computes and which row stands for which caption.
///
/// In a causal tower rows behind the pooled one are never computed, since no earlier row sees them. With `deduplicates`,
/// equal captions are computed once; with `sharesBeginning`, so are the rows that all captions begin with.
public struct TextBatch: Sendable {
  /// Token ids of the computed captions, end to end, the pooled slot included.
  public let rows: [EmbeddingRow]
  /// Sequences over `rows`; under `sharesFirst` the first is what the captions begin with, the others are their ends.
  public let layout: SequenceLayout
  /// Row that stands for each caption of the batch, repeats included.
  public let pooledRows: [Int]
  /// Position of the pooled row in its caption, virtual tokens included, for each caption.
  public let pooledPositions: [Int]

  /// Fewest common rows that are worth keys and values in front of every sequence's own.
  private static let leastSharedCount = 4

  /// Packs captions.
  ///
  /// - Parameters:
  ///   - captions: token ids without padding, at most `length` each; longer ones are cut.
  ///   - length: columns of the published layout; a caption of this length has no slot behind it.
  ///   - isCausal: whether a token sees no later token.
  ///   - virtualCount: vectors in front of every caption (prompt tuning).
  ///   - firstPosition: position id of the first row; behind the prefix under prefix tuning.
  ///   - deduplicates: computes equal captions once; for passes without dropout.
  ///   - sharesBeginning: computes rows that all captions begin with once, if they are four or more; for causal towers,
  ///     without dropout and without a prefix of keys and values.
  ///   - keepsPadding: computes every column of the published layout, to compare it row by row; shares no beginning.
  public init(
    captions: [[Int]], length: Int, paddingID: Int, pooledToken: PooledToken, isCausal: Bool = true,
    virtualCount: Int = 0, firstPosition: Int = 0,
    deduplicates: Bool = false, sharesBeginning: Bool = false, keepsPadding: Bool = false
  ) {
    var packed: [PackedCaption] = []
    var numbers: [Int] = []
    var seen: [[Int]: Int] = [:]
    for full in captions {
      let tokens = Array(full.prefix(length))
      if deduplicates, let number = seen[tokens] {
        numbers.append(number)
        continue
      }
      seen[tokens] = packed.count
      numbers.append(packed.count)
      packed.append(
        PackedCaption(
          tokens, length: length, paddingID: paddingID, pooledToken: pooledToken, isCausal: isCausal,
          virtualCount: virtualCount, firstPosition: firstPosition, keepsPadding: keepsPadding))
    }
    let common = sharesBeginning && isCausal && !keepsPadding ? Self.commonCount(packed) : 0
    self.init(packed, numbers, sharedCount: common < Self.leastSharedCount ? 0 : common, isCausal: isCausal)
  }

  /// Lays out the first `shared` rows of the longest caption, then what each caption has behind them.
  private init(_ captions: [PackedCaption], _ numbers: [Int], sharedCount shared: Int, isCausal: Bool) {
    var rows = shared > 0 ? Array(Self.longest(captions).prefix(shared)) : []
    var lengths = shared > 0 ? [shared] : []
    var keyCounts = lengths
    let pooled = captions.map { caption in
      // A caption whose every row is shared has no sequence of its own.
      let own = caption.rows.dropFirst(shared)
      let row = caption.pooled < shared ? caption.pooled : rows.count + caption.pooled - shared
      if own.isEmpty { return row }
      rows += own
      lengths.append(own.count)
      keyCounts.append(caption.keyCount - shared)
      return row
    }
    self.rows = rows
    layout = SequenceLayout(
      lengths: lengths, keyCounts: keyCounts, isCausal: isCausal, sharesFirst: shared > 0)
    pooledRows = numbers.map { pooled[$0] }
    pooledPositions = numbers.map { captions[$0].pooled }
  }

  /// Rows that all captions begin with, in those that have as many, every one of them a key; 0 for a single caption.
  private static func commonCount(_ captions: [PackedCaption]) -> Int {
    guard captions.count > 1 else { return 0 }
    let longest = longest(captions)
    return captions.reduce(longest.count) { common, caption in
      let keys = caption.rows.prefix(min(common, caption.keyCount))
      let equal = zip(keys, longest).prefix { $0 == $1 }.count
      return equal < min(common, caption.rows.count) ? equal : common
    }
  }

  private static func longest(_ captions: [PackedCaption]) -> [EmbeddingRow] {
    captions.max { $0.rows.count < $1.rows.count }?.rows ?? []
  }
}

/// The computed rows of one caption by itself.
private struct PackedCaption {
  let rows: [EmbeddingRow]
  /// Rows that may be seen: all but slots.
  let keyCount: Int
  /// Row that stands for the caption.
  let pooled: Int

  init(
    _ tokens: [Int], length: Int, paddingID: Int, pooledToken: PooledToken, isCausal: Bool, virtualCount: Int,
    firstPosition: Int, keepsPadding: Bool
  ) {
    let words = virtualCount + tokens.count
    let hasSlot = tokens.count < length
    pooled =
      switch pooledToken {
      case .firstPad: hasSlot ? words : 0
      case .endOfText: hasSlot ? words : words - 1
      case .lastWord: max(words - 1, 0)
      case .first: virtualCount
      }
    let count = keepsPadding ? virtualCount + length : max(pooled + 1, isCausal ? 0 : words)
    keyCount = min(words, count)
    rows = (0..<count).map { position in
      let column = position - virtualCount
      if column < 0 {
        return EmbeddingRow(index: position, position: firstPosition + position, isVirtual: true)
      }
      return EmbeddingRow(
        index: column < tokens.count ? tokens[column] : paddingID, position: firstPosition + position)
    }
  }
}
