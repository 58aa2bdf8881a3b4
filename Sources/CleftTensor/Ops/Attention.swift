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

/// Multi-head attention within the sequences of a packed tensor.
///
/// `softmax(scale · Q·Kᵀ)·V` a sequence and head at a time, on tiles of query rows that stay in cache. Heads are
/// strides of the products, so nothing is transposed or copied. Prefix keys are visible to every row.
///
/// - Shapes: `qkv` `[rows, 3·C]`, query, key and value side by side, head-major within each → `[rows, C]`.
/// - Saves: `qkv` and the prefix. Probabilities are computed again in backward.
/// - Numerics: float32; softmax subtracts the row maximum.
/// - Source: Vaswani et al. 2017, arXiv 1706.03762, §3.2.
public func attention(
  _ qkv: Tensor, _ layout: SequenceLayout, _ options: AttentionOptions, prefix: AttentionPrefix? = nil
) -> Tensor {
  let width = qkv.shape.last / 3
  precondition(
    qkv.shape.rows == layout.rowCount && qkv.shape.last % 3 == 0 && width % options.headCount == 0,
    "attention: [\(qkv.shape)] with \(layout.rowCount) rows and \(options.headCount) heads")
  if let prefix {
    precondition(
      prefix.table.shape.rank == 2
        && max(prefix.keyColumn, prefix.valueColumn) + width <= prefix.table.shape.last,
      "attention: prefix [\(prefix.table.shape)] for \(width) channels")
  }
  let work = AttentionKernel(
    layout: layout, options: options, width: width, prefixCount: prefix?.table.shape[0] ?? 0)
  let result = Tensor(uninitialized: [layout.rowCount, width])
  with(qkv, prefix?.table ?? qkv, result) { qkv, table, out in
    work.forward(
      AttentionRows(qkv, width: width), prefix.map { AttentionRows($0, table) }, out: out)
  }
  let saved = qkv.detached
  let savedPrefix = prefix.map {
    AttentionPrefix(table: $0.table.detached, keyColumn: $0.keyColumn, valueColumn: $0.valueColumn)
  }
  return result.recorded([qkv.node, prefix?.table.node]) { gradient, sink in
    let out = Tensor(uninitialized: saved.shape)
    func run(_ prefixGradient: AttentionRows?) {
      with(saved, savedPrefix?.table ?? saved, gradient, out) { qkv, table, dy, d in
        work.backward(
          AttentionRows(qkv, width: width), savedPrefix.map { AttentionRows($0, table) }, dOut: dy,
          AttentionRows(d, width: width), prefixGradient)
      }
    }
    if let savedPrefix, sink.wants(1) {
      let shape = savedPrefix.table.shape
      sink.accumulate(1, shape) { target, beta in
        if beta == 0 { target.update(repeating: 0, count: shape.count) }
        run(AttentionRows(savedPrefix, target))
      }
    } else {
      run(nil)
    }
    sink.add(0, out)
  }
}

/// Where queries, keys and values lie, and how far apart their rows are.
struct AttentionRows {
  let q, k, v: UnsafeMutablePointer<Float>
  let stride: Int

  /// Query, key and value side by side.
  init(_ qkv: UnsafeMutablePointer<Float>, width: Int) {
    (q, k, v) = (qkv, qkv + width, qkv + 2 * width)
    stride = 3 * width
  }

  /// Keys and values of a prefix; it has no queries.
  init(_ prefix: AttentionPrefix, _ table: UnsafeMutablePointer<Float>) {
    (q, k, v) = (table, table + prefix.keyColumn, table + prefix.valueColumn)
    stride = prefix.table.shape.last
  }

  /// The same rows from another row and column on.
  func from(row: Int, column: Int) -> AttentionRows {
    let shift = row * stride + column
    return AttentionRows(q: q + shift, k: k + shift, v: v + shift, stride: stride)
  }

  private init(
    q: UnsafeMutablePointer<Float>, k: UnsafeMutablePointer<Float>, v: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    (self.q, self.k, self.v) = (q, k, v)
    self.stride = stride
  }
}
