import Glibc

/// The loops of attention over fused queries, keys and values in bfloat16; one item is one sequence and head.
///
/// Scores and sums are float32. Forward keeps the logarithm of each row's softmax denominator, so that backward has every
/// probability in one exponential; the mean slope of a row is the product of its result with the gradient in it.
///
/// - Source: Dao et al. 2022, arXiv 2205.14135, §3.1 and appendix B.
struct HalfAttentionKernel {
  typealias Half = UnsafeMutablePointer<BFloat16>
  typealias Pointer = UnsafeMutablePointer<Float>

  let layout: SequenceLayout
  let options: AttentionOptions
  /// Channels of the queries, all heads.
  let width: Int

  private var headSize: Int { width / options.headCount }
  private var stride: Int { 3 * width }
  private var mask: DropoutMask? {
    options.dropout > 0 ? DropoutMask(key: options.key, probability: options.dropout) : nil
  }

  /// Working memory of one thread.
  private struct Scratch {
    /// Scores and their gradients, a tile each.
    let scores, slopes: Pointer
    /// Factors of products, a tile each.
    let weights, errors: Half
    /// Results of products: rows of a tile, and gradients of all keys and values of a sequence.
    let rows, keys, values: Pointer
  }

  /// - Parameters:
  ///   - qkv: `[rows, 3·width]`.
  ///   - out: `[rows, width]`.
  ///   - denominators: `[rows, heads]`.
  func forward(_ qkv: Half, into out: Half, denominators: Pointer) {
    let start = WorkClock.now()
    defer { WorkClock.add(.attention, since: start) }
    let mask = mask
    eachItem(scoresPerTile: 98_304) { sequence, head, limit, scratch in
      let q = qkv + layout.offsets[sequence] * stride + head * headSize
      for tile in tiles(sequence, limit) {
        score(q, tile, scratch.scores)
        for row in tile.rows {
          let line = row - tile.rows.lowerBound
          let place = layout.offsets[sequence] + row
          let seen = layout.visible(sequence, row)
          let total = exponentials(
            scratch.scores + line * tile.keys, into: scratch.weights + line * tile.keys, seen: seen,
            count: tile.keys, mask, place * options.headCount + head)
          denominators[place * options.headCount + head] = total.logarithm
          scratch.rows[tile.rows.count * headSize + line] = 1 / total.sum
        }
        Kernels.matmulSerial(
          scratch.weights, tile.keys, q + 2 * width, stride, into: scratch.rows, headSize, m: tile.rows.count,
          n: headSize, k: tile.keys)
        for row in tile.rows {
          let line = row - tile.rows.lowerBound
          let factor = scratch.rows[tile.rows.count * headSize + line]
          let target = out + (layout.offsets[sequence] + row) * width + head * headSize
          let source = scratch.rows + line * headSize
          for c in 0..<headSize { target[c] = BFloat16(rounding: source[c] * factor) }
        }
      }
    }
  }

  /// Gradients of queries, keys and values into `d`, laid out as `qkv`.
  func backward(_ qkv: Half, out: Half, denominators: Pointer, dOut: Half, into d: Half) {
    let start = WorkClock.now()
    defer { WorkClock.add(.attention, since: start) }
    let mask = mask
    eachItem(scoresPerTile: 49_152) { sequence, head, limit, scratch in
      let first = layout.offsets[sequence]
      let q = qkv + first * stride + head * headSize
      var beta: Float = 0
      // The last tile sees every key, so walking backward lets the first product of each sum overwrite.
      for tile in tiles(sequence, limit).reversed() {
        let dy = dOut + (first + tile.rows.lowerBound) * width + head * headSize
        let y = out + (first + tile.rows.lowerBound) * width + head * headSize
        score(q, tile, scratch.scores)
        Kernels.matmulSerial(
          dy, width, q + 2 * width, stride, transposingB: true, into: scratch.slopes, tile.keys,
          m: tile.rows.count, n: tile.keys, k: headSize)
        for row in tile.rows {
          let line = row - tile.rows.lowerBound
          let place = (first + row) * options.headCount + head
          slopes(
            scratch, line * tile.keys, seen: layout.visible(sequence, row), count: tile.keys,
            denominator: denominators[place], mean: dot(y + line * width, dy + line * width), mask, place)
        }
        Kernels.matmulSerial(
          scratch.weights, tile.keys, transposingA: true, dy, width, into: scratch.values, headSize,
          m: tile.keys, n: headSize, k: tile.rows.count, beta: beta)
        Kernels.matmulSerial(
          scratch.errors, tile.keys, transposingA: true, q + tile.rows.lowerBound * stride, stride,
          into: scratch.keys, headSize, m: tile.keys, n: headSize, k: tile.rows.count, alpha: options.scale,
          beta: beta)
        Kernels.matmulSerial(
          scratch.errors, tile.keys, q + width, stride, into: scratch.rows, headSize, m: tile.rows.count,
          n: headSize, k: tile.keys, alpha: options.scale)
        let target = d + (first + tile.rows.lowerBound) * stride + head * headSize
        store(scratch.rows, tile.rows.count, into: target)
        beta = 1
      }
      let target = d + first * stride + head * headSize
      // A row that would see nothing sees the first.
      let keys = max(1, layout.keyCounts[sequence])
      store(scratch.keys, keys, into: target + width)
      store(scratch.values, keys, into: target + 2 * width)
      // Keys that no row sees get no gradient.
      for row in keys..<max(keys, layout.length(sequence)) {
        for c in 0..<headSize {
          target[row * stride + width + c] = BFloat16(rounding: 0)
          target[row * stride + 2 * width + c] = BFloat16(rounding: 0)
        }
      }
    }
  }

  // MARK: - Parts

  private func score(_ q: Half, _ tile: Tile, _ scores: Pointer) {
    Kernels.matmulSerial(
      q + tile.rows.lowerBound * stride, stride, q + width, stride, transposingB: true, into: scores,
      tile.keys,
      m: tile.rows.count, n: tile.keys, k: headSize, alpha: options.scale)
  }

  /// `exp(x - max x)` of the keys seen, times what dropout makes of them, and 0 for the others.
  @inline(__always)
  private func exponentials(
    _ scores: Pointer, into weights: Half, seen: Int, count: Int, _ mask: DropoutMask?, _ place: Int
  ) -> (sum: Float, logarithm: Float) {
    let top = Kernels.maximum(scores, count: seen)
    for j in 0..<seen { scores[j] = fastExp(scores[j] - top) }
    let sum = Kernels.sum(scores, count: seen)
    if let mask {
      let key = mask.rowKey(place)
      for j in 0..<seen {
        weights[j] = BFloat16(rounding: scores[j] * mask.factor(key, UInt32(truncatingIfNeeded: j)))
      }
    } else {
      for j in 0..<seen { weights[j] = BFloat16(rounding: scores[j]) }
    }
    for j in seen..<max(seen, count) { weights[j] = BFloat16(rounding: 0) }
    return (sum, top + log(sum))
  }

  /// What multiplied the values, and the gradient of the scores, of one row.
  @inline(__always)
  private func slopes(
    _ scratch: Scratch, _ offset: Int, seen: Int, count: Int, denominator: Float, mean: Float,
    _ mask: DropoutMask?, _ place: Int
  ) {
    let (scores, gradients) = (scratch.scores + offset, scratch.slopes + offset)
    let (weights, errors) = (scratch.weights + offset, scratch.errors + offset)
    if let mask {
      let key = mask.rowKey(place)
      for j in 0..<seen {
        let factor = mask.factor(key, UInt32(truncatingIfNeeded: j))
        let p = fastExp(scores[j] - denominator)
        weights[j] = BFloat16(rounding: p * factor)
        errors[j] = BFloat16(rounding: p * (gradients[j] * factor - mean))
      }
    } else {
      for j in 0..<seen {
        let p = fastExp(scores[j] - denominator)
        weights[j] = BFloat16(rounding: p)
        errors[j] = BFloat16(rounding: p * (gradients[j] - mean))
      }
    }
    for j in seen..<max(seen, count) {
      weights[j] = BFloat16(rounding: 0)
      errors[j] = BFloat16(rounding: 0)
    }
  }

  @inline(__always)
  private func dot(_ a: Half, _ b: Half) -> Float {
    var lanes = SIMD16<Float>()
    let whole = headSize & ~15
    var c = 0
    while c < whole {
      lanes.addProduct(BFloat16.lanes(a + c), BFloat16.lanes(b + c))
      c &+= 16
    }
    var sum = lanes.sum()
    while c < headSize {
      sum += a[c].widened * b[c].widened
      c &+= 1
    }
    return sum
  }

  @inline(__always)
  private func store(_ source: Pointer, _ rows: Int, into target: Half) {
    for row in 0..<rows {
      let (from, to) = (source + row * headSize, target + row * stride)
      for c in 0..<headSize { to[c] = BFloat16(rounding: from[c]) }
    }
  }

  // MARK: - Division of the work

  /// Rows of queries that are worked on together, with the keys that some of them see.
  private struct Tile {
    let rows: Range<Int>
    let keys: Int
  }

  /// Tiles of about equal size with at most `limit` scores each.
  private func tiles(_ sequence: Int, _ limit: Int) -> [Tile] {
    let length = layout.length(sequence)
    let count = tileCount(sequence, limit)
    return (0..<count).map { tile in
      let rows = tile * length / count..<(tile + 1) * length / count
      return Tile(rows: rows, keys: layout.visible(sequence, rows.upperBound - 1))
    }
  }

  private func tileCount(_ sequence: Int, _ limit: Int) -> Int {
    let (length, keys) = (layout.length(sequence), max(1, layout.keyCounts[sequence]))
    return min(length, (length * keys + limit - 1) / limit)
  }

  /// Walks sequences and heads in fixed groups, one scratch memory a thread.
  private func eachItem(
    scoresPerTile limit: Int, _ body: (_ sequence: Int, _ head: Int, _ limit: Int, _ scratch: Scratch) -> Void
  ) {
    let items = layout.count * options.headCount
    let groups = min(items, Runtime.threadCount * 8)
    let longest = (0..<layout.count).map { layout.length($0) }.max() ?? 0
    let tile =
      (0..<layout.count).map { sequence in
        let count = tileCount(sequence, limit)
        return (layout.length(sequence) + count - 1) / count * max(1, layout.keyCounts[sequence])
      }.max() ?? 0
    // Lengths of pieces in floats, on cache lines.
    func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
    let (score, half, row) = (padded(tile), padded((tile + 1) / 2), padded(longest * (headSize + 1)))
    let workers = max(1, min(Runtime.threadCount, groups))
    let storages = (0..<workers).map { _ in Storage(byteCount: 4 * (2 * score + 2 * half + 3 * row)) }
    spread(groups, limit: workers) { group, worker in
      let base = storages[worker].base.assumingMemoryBound(to: Float.self)
      func halves(_ offset: Int) -> Half {
        UnsafeMutableRawPointer(base + offset).assumingMemoryBound(to: BFloat16.self)
      }
      let end = 2 * score + 2 * half
      let scratch = Scratch(
        scores: base, slopes: base + score, weights: halves(2 * score), errors: halves(2 * score + half),
        rows: base + end, keys: base + end + row, values: base + end + 2 * row)
      for item in group * items / groups..<(group + 1) * items / groups {
        body(item / options.headCount, item % options.headCount, limit, scratch)
      }
    }
    withExtendedLifetime(storages) {}
  }
}
