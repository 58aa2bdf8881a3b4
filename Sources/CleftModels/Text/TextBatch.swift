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
/// In a causal tower rows behind the pooled one are never computed, since no earlier row sees them. With `deduplicates`, equal captions
/// are computed once.
public struct TextBatch: Sendable {
  /// Token ids of the computed captions, end to end, the pooled slot included.
  public let rows: [EmbeddingRow]
  /// Sequences over `rows`.
  public let layout: SequenceLayout
  /// Row that stands for each caption of the batch, repeats included.
  public let pooledRows: [Int]
  /// Position of the pooled row in its sequence, virtual tokens included, for each caption.
  public let pooledPositions: [Int]

  /// Packs captions.
  ///
  /// - Parameters:
  ///   - captions: token ids without padding, at most `length` each; longer ones are cut.
  ///   - length: columns of the published layout; a caption of this length has no slot behind it.
  ///   - isCausal: whether a token sees no later token.
  ///   - virtualCount: vectors in front of every caption (prompt tuning).
  ///   - firstPosition: position id of the first row; behind the prefix under prefix tuning.
  ///   - keepsPadding: computes every column of the published layout, to compare it row by row.
  public init(
    captions: [[Int]], length: Int, paddingID: Int, pooledToken: PooledToken, isCausal: Bool = true,
    virtualCount: Int = 0, firstPosition: Int = 0,
    deduplicates: Bool = false, keepsPadding: Bool = false
  ) {
    var rows: [EmbeddingRow] = []
    var lengths: [Int] = []
    var keyCounts: [Int] = []
    var pooledRows: [Int] = []
    var pooledPositions: [Int] = []
    var seen: [[Int]: Int] = [:]
    for (caption, full) in captions.enumerated() {
      let tokens = Array(full.prefix(length))
      if deduplicates, let first = seen[tokens] {
        pooledRows.append(pooledRows[first])
        pooledPositions.append(pooledPositions[first])
        continue
      }
      seen[tokens] = caption
      let words = virtualCount + tokens.count
      let hasSlot = tokens.count < length
      let pooled =
        switch pooledToken {
        case .firstPad: hasSlot ? words : 0
        case .endOfText: hasSlot ? words : words - 1
        case .lastWord: max(words - 1, 0)
        case .first: virtualCount
        }
      let count = keepsPadding ? virtualCount + length : max(pooled + 1, isCausal ? 0 : words)
      pooledRows.append(rows.count + pooled)
      pooledPositions.append(pooled)
      for position in 0..<count {
        if position < virtualCount {
          rows.append(EmbeddingRow(index: position, position: firstPosition + position, isVirtual: true))
        } else {
          let column = position - virtualCount
          rows.append(
            EmbeddingRow(
              index: column < tokens.count ? tokens[column] : paddingID, position: firstPosition + position)
          )
        }
      }
      lengths.append(count)
      keyCounts.append(min(words, count))
    }
    self.rows = rows
    layout = SequenceLayout(lengths: lengths, keyCounts: keyCounts, isCausal: isCausal)
    self.pooledRows = pooledRows
    self.pooledPositions = pooledPositions
  }
}
