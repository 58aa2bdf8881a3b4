/// Spreads a table of relative positions within a square window over all pairs of its tokens, and adds a mask.
///
/// Row `i`, column `j` of head `h` is `table[(yᵢ - yⱼ + W - 1)·(2W - 1) + (xᵢ - xⱼ + W - 1), h] + masks[g][i, j]`.
///
/// - Shapes: `table` `[(2W-1)², H]`; `masks` `G` arrays of `T·T` numbers, T = W², or none → `[max(G, 1), H, T, T]`, what
///   `AttentionBias` takes.
/// - Saves: nothing.
/// - Source: Liu et al. 2021, arXiv 2103.14030, §3.2. Matches Hugging Face `SwinSelfAttention`.
public func relativePositionBias(_ table: Tensor, window: Int, masks: [[Float]] = []) -> Tensor {
  let (span, tokens, heads) = (2 * window - 1, window * window, table.shape.last)
  precondition(
    table.shape == [span * span, heads] && masks.allSatisfy { $0.count == tokens * tokens },
    "relativePositionBias: [\(table.shape)] for a window of \(window), masks of \(masks.first?.count ?? 0)")
  let groups = max(masks.count, 1)
  /// Table row of a pair of tokens.
  @inline(__always)
  func row(_ i: Int, _ j: Int) -> Int {
    (i / window - j / window + window - 1) * span + i % window - j % window + window - 1
  }
  let result = Tensor(uninitialized: [groups, heads, tokens, tokens])
  with(table, result) { table, out in
    parallel(groups * heads, grain: 1) { range in
      for item in range {
        let target = out + item * tokens * tokens
        let mask = masks.isEmpty ? nil : masks[item / heads]
        for i in 0..<tokens {
          for j in 0..<tokens {
            target[i * tokens + j] = table[row(i, j) * heads + item % heads] + (mask?[i * tokens + j] ?? 0)
          }
        }
      }
    }
  }
  let shape = table.shape
  return result.recorded([table.node]) { gradient, sink in
    sink.accumulate(0, shape) { target, beta in
      if beta == 0 { target.update(repeating: 0, count: shape.count) }
      gradient.withMutablePointer { dy in
        for item in 0..<groups * heads {
          let source = dy + item * tokens * tokens
          for i in 0..<tokens {
            for j in 0..<tokens { target[row(i, j) * heads + item % heads] += source[i * tokens + j] }
          }
        }
      }
    }
  }
}
