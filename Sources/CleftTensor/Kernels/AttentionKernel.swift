/// The loops of attention over raw rows; one item is one sequence and head.
struct AttentionKernel {
  typealias Pointer = UnsafeMutablePointer<Float>

  let layout: SequenceLayout
  let options: AttentionOptions
  /// Channels of the queries, all heads.
  let width: Int
  /// Rows of the prefix table, in front of every sequence's own keys.
  let prefixCount: Int
  /// Extents of the numbers added to the scores, nil for none.
  let bias: AttentionBias.Extents?

  private var headSize: Int { width / options.headCount }
  /// Query heads that share one head of keys and values.
  private var headsPerGroup: Int { options.headCount / options.keyValueHeadCount }
  private var mask: DropoutMask? {
    options.dropout > 0 ? DropoutMask(key: options.key, probability: options.dropout) : nil
  }

  /// Rows of queries that are worked on together, with the keys that some of them see.
  private struct Tile {
    let sequence, head: Int
    let rows: Range<Int>
    /// Keys in front: those of the prefix or of the shared rows.
    let front: Int
    /// Own keys, those in front not counted; none is possible behind shared rows.
    let keys: Int
    /// Distance between rows of scores: keys in front and own keys.
    var stride: Int { front + keys }
  }

  func forward(_ rows: AttentionRows, _ prefix: AttentionRows?, bias biasTable: Pointer?, out: Pointer) {
    let start = WorkClock.now()
    defer { WorkClock.add(.attention, since: start) }
    let mask = mask
    eachItem(scratch: scratchCount, headsApart: false) { sequence, head, _, p in
      let column = head * headSize
      let first = layout.offsets[sequence]
      let own = rows.from(row: first, query: column, key: keyColumn(head))
      let front = front(sequence, head, rows, prefix)
      for tile in tiles(sequence, head) {
        probabilities(tile, own, front, biasTable, into: p)
        if let mask { for row in tile.rows { drop(tile, mask, row, p) } }
        let target = out + (first + tile.rows.lowerBound) * width + column
        if let front {
          multiply(
            p, tile.stride, front.v, front.keyStride, into: target, width, tile.rows.count, tile.front,
            beta: 0)
        }
        multiply(
          p + tile.front, tile.stride, own.v, own.keyStride, into: target, width, tile.rows.count, tile.keys,
          beta: front == nil ? 0 : 1)
      }
    }
  }

  /// Gradients of queries, keys and values into `d`; those of the prefix and of the bias are added to theirs.
  ///
  /// The first sequence writes the gradients of the rows it shares, the others add to them.
  func backward(
    _ rows: AttentionRows, _ prefix: AttentionRows?, bias biasTable: Pointer?, dOut: Pointer,
    _ d: AttentionRows, _ dPrefix: AttentionRows?, _ dBias: Pointer?
  ) {
    let start = WorkClock.now()
    defer { WorkClock.add(.attention, since: start) }
    let mask = mask
    let half = scratchCount
    // Gradients of what sequences share are summed by one thread a head, in the order of the sequences.
    eachItem(scratch: 2 * half, headsApart: dPrefix != nil || dBias != nil || layout.sharesFirst) {
      sequence, head, isFirstHead, p in
      let column = head * headSize
      let first = layout.offsets[sequence]
      let own = rows.from(row: first, query: column, key: keyColumn(head))
      let front = front(sequence, head, rows, prefix)
      let target = d.from(row: first, query: column, key: keyColumn(head))
      let frontTarget = self.front(sequence, head, d, dPrefix)
      if isFirstHead { clearUnseen(sequence, target) }
      var isFirst = isFirstHead
      // The last tile sees every key, so walking backward lets the first product of each sum overwrite.
      for tile in tiles(sequence, head).reversed() {
        let dy = dOut + (first + tile.rows.lowerBound) * width + column
        let g = p + half
        probabilities(tile, own, front, biasTable, into: p)
        slopes(tile, own, front, dy, p, g, mask)
        if let dBias { addBiasGradient(tile, g, dBias) }
        addKeyValueGradients(
          tile, own, dy, p + tile.front, g + tile.front, tile.keys, target, beta: isFirst ? 0 : 1)
        if let frontTarget { addKeyValueGradients(tile, own, dy, p, g, tile.front, frontTarget, beta: 1) }
        let dq = target.q + tile.rows.lowerBound * target.queryStride
        if let front {
          multiply(
            g, tile.stride, front.k, front.keyStride, into: dq, target.queryStride, tile.rows.count,
            tile.front, alpha: options.scale, beta: 0)
        }
        multiply(
          g + tile.front, tile.stride, own.k, own.keyStride, into: dq, target.queryStride, tile.rows.count,
          tile.keys, alpha: options.scale, beta: front == nil ? 0 : 1)
        isFirst = false
      }
    }
  }

  // MARK: - Parts

  /// Keys and values in front of a sequence's own: the rows all share, or the prefix; nil for none.
  @inline(__always)
  private func front(
    _ sequence: Int, _ head: Int, _ rows: AttentionRows, _ prefix: AttentionRows?
  ) -> AttentionRows? {
    layout.sharedCount(sequence) > 0
      ? rows.from(row: 0, query: head * headSize, key: keyColumn(head))
      : prefix?.from(row: 0, query: 0, key: keyColumn(head))
  }

  /// Probabilities of a tile before dropout.
  @inline(__always)
  private func probabilities(
    _ tile: Tile, _ own: AttentionRows, _ front: AttentionRows?, _ biasTable: Pointer?, into p: Pointer
  ) {
    let q = own.q + tile.rows.lowerBound * own.queryStride
    scores(
      tile, q, own.queryStride, keys: own.k, own.keyStride, front?.k, front?.keyStride, alpha: options.scale,
      into: p)
    for row in tile.rows {
      let line = p + (row - tile.rows.lowerBound) * tile.stride
      if let biasTable, let bias {
        let added = biasTable + bias.row(sequence: tile.sequence, head: tile.head, row)
        for j in 0..<tile.keys { line[tile.front + j] += added[j] }
      }
      let seen = tile.front + layout.visible(tile.sequence, row)
      Kernels.softmax(line, count: seen)
      for j in seen..<max(seen, tile.stride) { line[j] = 0 }
    }
  }

  /// Gradient of the scores into `g`; turns `p` into what multiplied the values.
  @inline(__always)
  private func slopes(
    _ tile: Tile, _ own: AttentionRows, _ front: AttentionRows?, _ dy: Pointer, _ p: Pointer, _ g: Pointer,
    _ mask: DropoutMask?
  ) {
    scores(tile, dy, width, keys: own.v, own.keyStride, front?.v, front?.keyStride, alpha: 1, into: g)
    for row in tile.rows {
      let probability = p + (row - tile.rows.lowerBound) * tile.stride
      let slope = g + (row - tile.rows.lowerBound) * tile.stride
      if let mask { drop(tile, mask, row, g) }
      let along = Kernels.dot(probability, slope, count: tile.stride)
      for j in 0..<tile.stride { slope[j] = probability[j] * (slope[j] - along) }
      if let mask { drop(tile, mask, row, p) }
    }
  }

  /// Adds the gradient of a tile's scores to that of the bias.
  private func addBiasGradient(_ tile: Tile, _ g: Pointer, _ dBias: Pointer) {
    guard let bias else { return }
    for row in tile.rows {
      let slope = g + (row - tile.rows.lowerBound) * tile.stride + tile.front
      let target = dBias + bias.row(sequence: tile.sequence, head: tile.head, row)
      for j in 0..<tile.keys { target[j] += slope[j] }
    }
  }

  /// Products of a tile's rows with the rows of the keys (or values) in front and of its own.
  @inline(__always)
  private func scores(
    _ tile: Tile, _ q: Pointer, _ qStride: Int, keys own: Pointer, _ ownStride: Int, _ front: Pointer?,
    _ frontStride: Int?, alpha: Float, into p: Pointer
  ) {
    if let front, let frontStride {
      Kernels.matmulSerial(
        Operand(q, rowStride: qStride), Operand(front, rowStride: frontStride, transposed: true), into: p,
        rowStride: tile.stride, m: tile.rows.count, n: tile.front, k: headSize, alpha: alpha, beta: 0)
    }
    if tile.keys == 0 { return }
    Kernels.matmulSerial(
      Operand(q, rowStride: qStride), Operand(own, rowStride: ownStride, transposed: true),
      into: p + tile.front,
      rowStride: tile.stride, m: tile.rows.count, n: tile.keys, k: headSize, alpha: alpha, beta: 0)
  }

  /// `dv = pᵀ·dy` and `dk = scale · gᵀ·q` for some columns of the scores.
  @inline(__always)
  private func addKeyValueGradients(
    _ tile: Tile, _ own: AttentionRows, _ dy: Pointer, _ p: Pointer, _ g: Pointer, _ keys: Int,
    _ target: AttentionRows,
    beta: Float
  ) {
    if keys == 0 { return }
    Kernels.matmulSerial(
      Operand(p, rowStride: tile.stride, transposed: true), Operand(dy, rowStride: width), into: target.v,
      rowStride: target.keyStride, m: keys, n: headSize, k: tile.rows.count, beta: beta)
    Kernels.matmulSerial(
      Operand(g, rowStride: tile.stride, transposed: true),
      Operand(own.q + tile.rows.lowerBound * own.queryStride, rowStride: own.queryStride), into: target.k,
      rowStride: target.keyStride, m: keys, n: headSize, k: tile.rows.count, alpha: options.scale, beta: beta)
  }

  /// `target = alpha · p·rows + beta · target`, `headSize` columns; no keys add nothing to what those in front gave.
  @inline(__always)
  private func multiply(
    _ p: Pointer, _ pStride: Int, _ rows: Pointer, _ stride: Int, into target: Pointer, _ targetStride: Int,
    _ m: Int,
    _ k: Int, alpha: Float = 1, beta: Float
  ) {
    if k == 0 { return }
    Kernels.matmulSerial(
      Operand(p, rowStride: pStride), Operand(rows, rowStride: stride), into: target, rowStride: targetStride,
      m: m,
      n: headSize, k: k, alpha: alpha, beta: beta)
  }

  @inline(__always)
  private func drop(_ tile: Tile, _ mask: DropoutMask, _ row: Int, _ scores: Pointer) {
    let line = scores + (row - tile.rows.lowerBound) * tile.stride
    let key = mask.rowKey((layout.offsets[tile.sequence] + row) * options.headCount + tile.head)
    for j in 0..<tile.stride { line[j] *= mask.factor(key, UInt32(truncatingIfNeeded: j)) }
  }

  /// Keys that no row sees get no gradient.
  private func clearUnseen(_ sequence: Int, _ target: AttentionRows) {
    for row in layout.keyCounts[sequence]..<max(layout.length(sequence), layout.keyCounts[sequence]) {
      (target.k + row * target.keyStride).update(repeating: 0, count: headSize)
      (target.v + row * target.keyStride).update(repeating: 0, count: headSize)
    }
  }

  // MARK: - Division of the work

  /// Query rows a tile: equal shares of a sequence that keep the tile's scores within about 384 KiB.
  private func tileRows(_ length: Int, _ keys: Int) -> Int {
    let limit = max(16, 98_304 / max(keys, 1))
    let count = (length + limit - 1) / limit
    return (length + count - 1) / max(count, 1)
  }

  private func frontCount(_ sequence: Int) -> Int { max(prefixCount, layout.sharedCount(sequence)) }

  /// Most keys that a row of a sequence sees.
  private func keyCount(_ sequence: Int) -> Int {
    frontCount(sequence) + max(1, layout.keyCounts[sequence])
  }

  private var scratchCount: Int {
    (0..<layout.count).map { sequence in
      let keys = keyCount(sequence)
      return tileRows(layout.length(sequence), keys) * keys
    }.max() ?? 0
  }

  private func tiles(_ sequence: Int, _ head: Int) -> [Tile] {
    let length = layout.length(sequence)
    let (rows, front) = (tileRows(length, keyCount(sequence)), frontCount(sequence))
    return stride(from: 0, to: length, by: rows).map { start in
      let end = min(start + rows, length)
      let keys = layout.visible(sequence, end - 1)
      return Tile(sequence: sequence, head: head, rows: start..<end, front: front, keys: keys)
    }
  }

  /// First column of the keys and values of a query head.
  @inline(__always)
  private func keyColumn(_ head: Int) -> Int { head / headsPerGroup * headSize }

  /// Walks sequences and heads in fixed groups, one scratch buffer a thread.
  ///
  /// Query heads that share keys stay together, the first one announced; `headsApart` keeps a head of keys within one
  /// group for all sequences.
  private func eachItem(
    scratch perItem: Int, headsApart: Bool,
    _ body: (_ sequence: Int, _ head: Int, _ isFirstHead: Bool, _ scratch: Pointer) -> Void
  ) {
    let heads = options.keyValueHeadCount
    let items = layout.count * heads
    let groups = headsApart ? heads : min(items, Runtime.threadCount * 8)
    // Taken before the threads start, so that what the pool is asked for does not depend on how they meet.
    let bytes = max(perItem, 16) * MemoryLayout<Float>.stride
    let workers = max(1, min(Runtime.threadCount, groups))
    let storages = (0..<workers).map { _ in Storage(byteCount: bytes) }
    spread(groups, limit: workers) { group, worker in
      let scratch = storages[worker].base.assumingMemoryBound(to: Float.self)
      for item in group * items / groups..<(group + 1) * items / groups {
        let sequence = headsApart ? item % layout.count : item / heads
        let keyHead = headsApart ? item / layout.count : item % heads
        for head in keyHead * headsPerGroup..<(keyHead + 1) * headsPerGroup {
          body(sequence, head, head == keyHead * headsPerGroup, scratch)
        }
      }
    }
    withExtendedLifetime(storages) {}
  }
}
