/// Settings of one attention operation.
public struct AttentionOptions: Sendable {
  /// Number of heads `H`.
  public var headCount: Int
  /// Factor on the products of queries and keys, usually 1/√D.
  public var scale: Float
  /// Probability of dropping an attention weight.
  public var dropout: Float
  /// Stream of the dropped weights.
  public var key: RandomKey

  /// Makes settings; without `dropout` the key is not used.
  public init(headCount: Int, scale: Float, dropout: Float = 0, key: RandomKey = RandomKey(seed: 0)) {
    self.headCount = headCount
    self.scale = scale
    self.dropout = dropout
    self.key = key
  }
}

/// Multi-head attention within the sequences of a packed tensor.
///
/// `softmax(scale · Q·Kᵀ)·V` a sequence and head at a time, on tiles of query rows that stay in cache. Heads are
/// strides of the products, so nothing is transposed or copied.
///
/// - Shapes: `qkv` `[rows, 3·C]`, query, key and value side by side, head-major within each → `[rows, C]`.
/// - Saves: `qkv` alone. Probabilities are computed again in backward.
/// - Numerics: float32; softmax subtracts the row maximum.
/// - Source: Vaswani et al. 2017, arXiv 1706.03762, §3.2.
public func attention(_ qkv: Tensor, _ layout: SequenceLayout, _ options: AttentionOptions) -> Tensor {
  let width = qkv.shape.last / 3
  precondition(
    qkv.shape.rows == layout.rowCount && qkv.shape.last % 3 == 0 && width % options.headCount == 0,
    "attention: [\(qkv.shape)] with \(layout.rowCount) rows and \(options.headCount) heads")
  let result = Tensor(uninitialized: [layout.rowCount, width])
  with(qkv, result) { qkv, out in
    let work = AttentionKernel(layout: layout, options: options, width: width)
    work.forward(q: qkv, k: qkv + width, v: qkv + 2 * width, stride: 3 * width, out: out)
  }
  let saved = qkv.detached
  return result.recorded([qkv.node]) { gradient, sink in
    let out = Tensor(uninitialized: saved.shape)
    with(saved, gradient, out) { qkv, dy, d in
      let work = AttentionKernel(layout: layout, options: options, width: width)
      work.backward(
        q: qkv, k: qkv + width, v: qkv + 2 * width, stride: 3 * width, dOut: dy, dq: d, dk: d + width,
        dv: d + 2 * width)
    }
    sink.add(0, out)
  }
}

/// The loops of attention over raw rows; one item is one sequence and head.
struct AttentionKernel {
  typealias Pointer = UnsafeMutablePointer<Float>

  let layout: SequenceLayout
  let options: AttentionOptions
  let width: Int

  private var headSize: Int { width / options.headCount }
  private var mask: DropoutMask? {
    options.dropout > 0 ? DropoutMask(key: options.key, probability: options.dropout) : nil
  }

  /// Query rows a tile: as many as keep the tile's scores within about 256 KiB.
  private func tileRows(_ keys: Int) -> Int { max(16, min(512, 65_536 / max(keys, 1))) }

  private var scratchCount: Int {
    (0..<layout.count).map { sequence in
      let keys = max(1, layout.keyCounts[sequence])
      return min(tileRows(keys), layout.length(sequence)) * keys
    }.max() ?? 0
  }

  /// Walks the items in fixed groups, one scratch buffer a group.
  private func eachItem(
    scratch perItem: Int, _ body: (_ sequence: Int, _ head: Int, _ scratch: Pointer) -> Void
  ) {
    let items = layout.count * options.headCount
    let groups = min(items, Runtime.threadCount * 8)
    spread(groups) { group in
      let storage = Storage(byteCount: perItem * MemoryLayout<Float>.stride)
      withExtendedLifetime(storage) {
        let scratch = storage.base.assumingMemoryBound(to: Float.self)
        for item in group * items / groups..<(group + 1) * items / groups {
          body(item / options.headCount, item % options.headCount, scratch)
        }
      }
    }
  }

  /// Probabilities of rows `tile` of one item, before dropout, into `p` with row stride `keys`.
  @inline(__always)
  private func probabilities(
    _ q: Pointer, _ k: Pointer, stride: Int, sequence: Int, tile: Range<Int>, keys: Int, into p: Pointer
  ) {
    Kernels.matmulSerial(
      Operand(q + tile.lowerBound * stride, rowStride: stride),
      Operand(k, rowStride: stride, transposed: true),
      into: p, rowStride: keys, m: tile.count, n: keys, k: headSize, alpha: options.scale, beta: 0)
    for row in tile {
      let line = p + (row - tile.lowerBound) * keys
      let seen = layout.visible(sequence, row)
      Kernels.softmax(line, count: seen)
      for j in seen..<max(seen, keys) { line[j] = 0 }
    }
  }

  @inline(__always)
  private func drop(_ line: Pointer, _ mask: DropoutMask, sequence: Int, head: Int, row: Int, keys: Int) {
    let key = rowKey(mask, sequence, head, row)
    for j in 0..<keys { line[j] *= mask.factor(key, UInt32(truncatingIfNeeded: j)) }
  }

  @inline(__always)
  private func rowKey(_ mask: DropoutMask, _ sequence: Int, _ head: Int, _ row: Int) -> UInt32 {
    mask.rowKey((layout.offsets[sequence] + row) * options.headCount + head)
  }

  private func tiles(_ length: Int, keys: Int) -> some Sequence<Range<Int>> {
    let rows = tileRows(keys)
    return stride(from: 0, to: length, by: rows).lazy.map { $0..<min($0 + rows, length) }
  }

  /// Keys that some row of the tile sees.
  private func keyCount(_ sequence: Int, _ tile: Range<Int>) -> Int {
    layout.visible(sequence, tile.upperBound - 1)
  }

  func forward(q: Pointer, k: Pointer, v: Pointer, stride: Int, out: Pointer) {
    let mask = mask
    eachItem(scratch: scratchCount) { sequence, head, p in
      let first = layout.offsets[sequence]
      let column = head * headSize
      let (q, k, v) = (q + first * stride + column, k + first * stride + column, v + first * stride + column)
      for tile in tiles(layout.length(sequence), keys: layout.keyCounts[sequence]) {
        let keys = keyCount(sequence, tile)
        probabilities(q, k, stride: stride, sequence: sequence, tile: tile, keys: keys, into: p)
        if let mask {
          for row in tile {
            drop(
              p + (row - tile.lowerBound) * keys, mask, sequence: sequence, head: head, row: row, keys: keys)
          }
        }
        Kernels.matmulSerial(
          Operand(p, rowStride: keys), Operand(v, rowStride: stride),
          into: out + (first + tile.lowerBound) * width + column,
          rowStride: width, m: tile.count, n: headSize, k: keys, beta: 0)
      }
    }
  }

  func backward(
    q: Pointer, k: Pointer, v: Pointer, stride: Int, dOut: Pointer, dq: Pointer, dk: Pointer, dv: Pointer
  ) {
    let mask = mask
    let half = scratchCount
    eachItem(scratch: 2 * half) { sequence, head, p in
      let first = layout.offsets[sequence]
      let column = head * headSize
      let at = first * stride + column
      let g = p + half
      let length = layout.length(sequence)
      for row in layout.keyCounts[sequence]..<max(length, layout.keyCounts[sequence]) {
        (dk + at + row * stride).update(repeating: 0, count: headSize)
        (dv + at + row * stride).update(repeating: 0, count: headSize)
      }
      var isFirst = true
      // The last tile sees every key, so walking backward lets the first product of each sum overwrite.
      for tile in Array(tiles(length, keys: layout.keyCounts[sequence])).reversed() {
        let keys = keyCount(sequence, tile)
        let dy = dOut + (first + tile.lowerBound) * width + column
        probabilities(q + at, k + at, stride: stride, sequence: sequence, tile: tile, keys: keys, into: p)
        Kernels.matmulSerial(
          Operand(dy, rowStride: width), Operand(v + at, rowStride: stride, transposed: true), into: g,
          rowStride: keys,
          m: tile.count, n: keys, k: headSize, beta: 0)
        for row in tile {
          let probability = p + (row - tile.lowerBound) * keys
          let slope = g + (row - tile.lowerBound) * keys
          if let mask {
            let key = rowKey(mask, sequence, head, row)
            for j in 0..<keys { slope[j] *= mask.factor(key, UInt32(truncatingIfNeeded: j)) }
          }
          let along = Kernels.dot(probability, slope, count: keys)
          for j in 0..<keys { slope[j] = probability[j] * (slope[j] - along) }
          if let mask { drop(probability, mask, sequence: sequence, head: head, row: row, keys: keys) }
        }
        let beta: Float = isFirst ? 0 : 1
        Kernels.matmulSerial(
          Operand(p, rowStride: keys, transposed: true), Operand(dy, rowStride: width), into: dv + at,
          rowStride: stride,
          m: keys, n: headSize, k: tile.count, beta: beta)
        Kernels.matmulSerial(
          Operand(g, rowStride: keys), Operand(k + at, rowStride: stride),
          into: dq + at + tile.lowerBound * stride,
          rowStride: stride, m: tile.count, n: headSize, k: keys, alpha: options.scale, beta: 0)
        Kernels.matmulSerial(
          Operand(g, rowStride: keys, transposed: true),
          Operand(q + at + tile.lowerBound * stride, rowStride: stride),
          into: dk + at, rowStride: stride, m: keys, n: headSize, k: tile.count, alpha: options.scale,
          beta: beta)
        isFirst = false
      }
    }
  }
}
