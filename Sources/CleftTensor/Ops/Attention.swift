/// Settings of one attention operation.
public struct AttentionOptions: Sendable {
  /// Number of heads `H`.
  public var headCount: Int
  /// Heads of keys and values; fewer than `headCount` are shared by groups of query heads.
  public var keyValueHeadCount: Int
  /// Factor on the products of queries and keys, usually 1/√D.
  public var scale: Float
  /// Probability of dropping an attention weight.
  public var dropout: Float
  /// Stream of the dropped weights.
  public var key: RandomKey

  /// Makes settings; without `dropout` the key is not used.
  public init(
    headCount: Int, keyValueHeadCount: Int? = nil, scale: Float, dropout: Float = 0,
    key: RandomKey = RandomKey(seed: 0)
  ) {
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.scale = scale
    self.dropout = dropout
    self.key = key
  }
}

/// Keys and values in front of every sequence's own: columns of one table that all sequences share (prefix tuning).
public struct AttentionPrefix {
  /// The table `[P, W]`.
  public var table: Tensor
  /// First column of the keys and of the values, `C` columns each, head-major.
  public var keyColumn, valueColumn: Int

  /// Names the columns of a table.
  public init(table: Tensor, keyColumn: Int, valueColumn: Int) {
    self.table = table
    self.keyColumn = keyColumn
    self.valueColumn = valueColumn
  }
}

/// Numbers added to the scores before the softmax: relative positions, windows that must not see each other.
public struct AttentionBias {
  /// The numbers `[G, H, T, T]`, row = query, column = key; sequence `s` takes group `s mod G`.
  public var table: Tensor

  /// Names the numbers.
  public init(table: Tensor) { self.table = table }

  /// Where the row of a query starts in the table.
  struct Extents {
    let groupCount, headCount, length: Int

    @inline(__always)
    func row(sequence: Int, head: Int, _ row: Int) -> Int {
      ((sequence % groupCount * headCount + head) * length + row) * length
    }
  }

  var extents: Extents {
    Extents(groupCount: table.shape[0], headCount: table.shape[1], length: table.shape[2])
  }
}

/// Multi-head attention within the sequences of a packed tensor, from one tensor of queries, keys and values.
///
/// - Shapes: `qkv` `[rows, 3·C]`, query, key and value side by side, head-major within each → `[rows, C]`.
/// - Saves: `qkv`, the prefix and the bias; in bfloat16 also the result and the logarithm of each row's denominator.
///   Probabilities are computed again in backward.
/// - Numerics: from a tensor in bfloat16 products take bfloat16 factors and the result is of that kind.
public func attention(
  _ qkv: Tensor, _ layout: SequenceLayout, _ options: AttentionOptions, prefix: AttentionPrefix? = nil,
  bias: AttentionBias? = nil
) -> Tensor {
  precondition(qkv.shape.last % 3 == 0, "attention: [\(qkv.shape)] is not three tensors side by side")
  return attention([qkv], width: qkv.shape.last / 3, layout, options, prefix, bias)
}

/// Multi-head attention within the sequences of packed tensors.
///
/// `softmax(scale · Q·Kᵀ + bias)·V` a sequence and head at a time, on tiles of query rows that stay in cache. Heads are
/// strides of the products, so nothing is transposed or copied. Prefix keys are visible to every row, bias or not. Rows
/// that the layout shares are keys in front too; neither a prefix nor a bias goes with them.
///
/// - Shapes: `query` `[rows, H·D]`, `key` and `value` `[rows, K·D]` with `K` heads of keys → `[rows, H·D]`.
/// - Saves: the inputs. Probabilities are computed again in backward.
/// - Numerics: float32; softmax subtracts the row maximum.
/// - Source: Vaswani et al. 2017, arXiv 1706.03762, §3.2; Ainslie et al. 2023, arXiv 2305.13245 (shared keys).
public func attention(
  query: Tensor, key: Tensor, value: Tensor, _ layout: SequenceLayout, _ options: AttentionOptions,
  prefix: AttentionPrefix? = nil, bias: AttentionBias? = nil
) -> Tensor {
  attention([query, key, value], width: query.shape.last, layout, options, prefix, bias)
}

/// `sources` is one fused tensor, or queries, keys and values.
private func attention(
  _ sources: [Tensor], width: Int, _ layout: SequenceLayout, _ options: AttentionOptions,
  _ prefix: AttentionPrefix?, _ bias: AttentionBias?
) -> Tensor {
  check(sources, width, layout, options, prefix, bias)
  if sources.count == 1, sources[0].isHalf, prefix == nil, bias == nil, !layout.sharesFirst,
    Runtime.hasHalfProducts
  {
    return halfAttention(sources[0], width: width, layout, options)
  }
  let work = AttentionKernel(
    layout: layout, options: options, width: width, prefixCount: prefix?.table.shape[0] ?? 0,
    bias: bias?.extents)
  let inputs = [prefix?.table.node, bias?.table.node] + sources.map(\.node)
  let kept = sources.map { SavedTensor($0, for: inputs) }
  let savedPrefix = prefix.map {
    AttentionPrefix(table: $0.table.detached, keyColumn: $0.keyColumn, valueColumn: $0.valueColumn)
  }
  let savedBias = bias?.table.detached
  let result = Tensor(uninitialized: [layout.rowCount, width])
  withExtendedLifetime((sources, savedPrefix, savedBias)) {
    work.forward(
      AttentionRows(sources, width: width), savedPrefix.map { AttentionRows($0, $0.table.pointer) },
      bias: savedBias?.pointer, out: result.pointer)
  }
  return result.recorded(inputs) { gradient, sink in
    let saved = kept.map(\.tensor)
    let targets = saved.map { Tensor(uninitialized: $0.shape) }
    let dBias = savedBias.flatMap { sink.wants(1) ? Tensor($0.shape) : nil }
    func run(_ dPrefix: AttentionRows?) {
      withExtendedLifetime((saved, savedPrefix, savedBias, gradient)) {
        work.backward(
          AttentionRows(saved, width: width), savedPrefix.map { AttentionRows($0, $0.table.pointer) },
          bias: savedBias?.pointer, dOut: gradient.pointer, AttentionRows(targets, width: width), dPrefix,
          dBias?.pointer)
      }
    }
    if let savedPrefix, sink.wants(0) {
      // A layer owns few columns of a prefix table: its part is added in place.
      sink.accumulate(0, savedPrefix.table.shape) { target, beta in
        if beta == 0 { target.update(repeating: 0, count: savedPrefix.table.count) }
        run(AttentionRows(savedPrefix, target))
      }
    } else {
      run(nil)
    }
    if let dBias { sink.add(1, dBias) }
    for (index, target) in targets.enumerated() { sink.add(2 + index, target) }
  }
}

/// Attention from one tensor in bfloat16, with a result of that kind.
private func halfAttention(
  _ qkv: Tensor, width: Int, _ layout: SequenceLayout, _ options: AttentionOptions
) -> Tensor {
  let work = HalfAttentionKernel(layout: layout, options: options, width: width)
  let result = Tensor(halfUninitialized: [layout.rowCount, width])
  let denominators = Tensor(uninitialized: [layout.rowCount, options.headCount])
  let kept = qkv.detached
  withExtendedLifetime((kept, result, denominators)) {
    work.forward(kept.halfPointer, into: result.halfPointer, denominators: denominators.pointer)
  }
  return result.recorded([qkv.node]) { gradient, sink in
    let target = Tensor(halfUninitialized: kept.shape)
    let dy = HalfMatrix(rounding: gradient)
    withExtendedLifetime((kept, result, denominators, dy, target)) {
      work.backward(
        kept.halfPointer, out: result.halfPointer, denominators: denominators.pointer, dOut: dy.pointer,
        into: target.halfPointer)
    }
    sink.add(0, target)
  }
}

private func check(
  _ sources: [Tensor], _ width: Int, _ layout: SequenceLayout, _ options: AttentionOptions,
  _ prefix: AttentionPrefix?, _ bias: AttentionBias?
) {
  let (heads, keyHeads) = (options.headCount, options.keyValueHeadCount)
  let shapes = sources.map { "[\($0.shape)]" }.joined(separator: ", ")
  precondition(
    sources.allSatisfy { $0.shape.rows == layout.rowCount } && width % heads == 0 && heads % keyHeads == 0,
    "attention: \(shapes) with \(layout.rowCount) rows, \(heads) heads, \(keyHeads) of keys")
  let keyWidth = width / heads * keyHeads
  precondition(
    sources.count == 1 ? keyHeads == heads : sources.dropFirst().allSatisfy { $0.shape.last == keyWidth },
    "attention: \(shapes) for \(keyHeads) heads of keys")
  precondition(
    !layout.sharesFirst || prefix == nil && bias == nil, "attention: shared rows beside a prefix or a bias")
  if let prefix {
    precondition(
      prefix.table.shape.rank == 2
        && max(prefix.keyColumn, prefix.valueColumn) + keyWidth <= prefix.table.shape.last,
      "attention: prefix [\(prefix.table.shape)] for \(keyWidth) channels")
  }
  if let shape = bias?.table.shape {
    precondition(
      shape.rank == 4 && shape[1] == heads && shape[2] == shape[3]
        && (0..<layout.count).allSatisfy { layout.length($0) <= shape[2] },
      "attention: bias [\(shape)] for \(heads) heads")
  }
}

/// Where queries, keys and values lie, and how far apart their rows are.
struct AttentionRows {
  let q, k, v: UnsafeMutablePointer<Float>
  let queryStride, keyStride: Int

  /// One fused tensor of query, key and value side by side, or the three.
  init(_ sources: [Tensor], width: Int) {
    if sources.count == 1 {
      (q, k, v) = (sources[0].pointer, sources[0].pointer + width, sources[0].pointer + 2 * width)
    } else {
      (q, k, v) = (sources[0].pointer, sources[1].pointer, sources[2].pointer)
    }
    queryStride = sources[0].shape.last
    keyStride = sources[sources.count - 1].shape.last
  }

  /// Keys and values of a prefix; it has no queries.
  init(_ prefix: AttentionPrefix, _ table: UnsafeMutablePointer<Float>) {
    (q, k, v) = (table, table + prefix.keyColumn, table + prefix.valueColumn)
    (queryStride, keyStride) = (prefix.table.shape.last, prefix.table.shape.last)
  }

  /// The same rows from another row and other columns on.
  func from(row: Int, query: Int, key: Int) -> AttentionRows {
    AttentionRows(
      q: q + row * queryStride + query, k: k + row * keyStride + key, v: v + row * keyStride + key,
      queryStride: queryStride, keyStride: keyStride)
  }

  private init(
    q: UnsafeMutablePointer<Float>, k: UnsafeMutablePointer<Float>, v: UnsafeMutablePointer<Float>,
    queryStride: Int, keyStride: Int
  ) {
    (self.q, self.k, self.v) = (q, k, v)
    (self.queryStride, self.keyStride) = (queryStride, keyStride)
  }
}
