/// Picks rows of a matrix, in any order and with repeats.
///
/// - Shapes: `x` `[N, C]`, `indices` `n` numbers below `N` → `[n, C]`.
/// - Saves: the indices.
public func gatherRows(_ x: Tensor, _ indices: [Int]) -> Tensor {
  let (rows, width) = (x.shape.rows, x.shape.last)
  precondition(indices.allSatisfy { $0 >= 0 && $0 < rows }, "gatherRows: an index is outside 0 ..< \(rows)")
  let result = Tensor(uninitialized: [indices.count, width])
  with(x, result) { x, y in
    for (row, index) in indices.enumerated() {
      (y + row * width).update(from: x + index * width, count: width)
    }
  }
  let shape = x.shape
  return result.recorded([x.node]) { gradient, sink in
    sink.accumulate(0, shape) { target, beta in
      if beta == 0 { target.update(repeating: 0, count: shape.count) }
      gradient.withMutablePointer { Kernels.scatterRows($0, into: target, indices, width: width) }
    }
  }
}

/// One source row of a packed embedding: an entry of the token table or of the virtual-token table.
public struct EmbeddingRow: Sendable, Equatable {
  /// Row in the table.
  public var index: Int
  /// Position id, a row of the position table.
  public var position: Int
  /// Whether `index` counts virtual tokens (prompt tuning) instead of vocabulary entries.
  public var isVirtual: Bool

  /// Makes a row.
  public init(index: Int, position: Int, isVirtual: Bool = false) {
    self.index = index
    self.position = position
    self.isVirtual = isVirtual
  }
}

/// Token plus position embeddings of packed sequences, with virtual tokens where the rows say so.
///
/// - Shapes: `tokens` `[V, C]`, `positions` `[P, C]` or nil for towers that rotate instead, `virtual` `[n, C]`
///   → `[rows, C]`.
/// - Saves: the rows.
public func embed(_ rows: [EmbeddingRow], tokens: Tensor, positions: Tensor?, virtual: Tensor?) -> Tensor {
  let width = tokens.shape.last
  precondition(
    (positions?.shape.last ?? width) == width && (virtual?.shape.last ?? width) == width,
    "embed: [\(tokens.shape)], [\(positions?.shape ?? [])], [\(virtual?.shape ?? [])]")
  for row in rows {
    let bound = row.isVirtual ? virtual?.shape[0] ?? 0 : tokens.shape[0]
    precondition(
      row.index >= 0 && row.index < bound && row.position >= 0
        && row.position < positions?.shape[0] ?? .max,
      "embed: \(row) outside \(bound) entries and \(positions?.shape[0] ?? 0) positions")
  }
  let result = Tensor(uninitialized: [rows.count, width])
  withExtendedLifetime((tokens, positions, virtual)) {
    let (added, vectors) = (positions?.pointer, virtual?.pointer)
    result.withMutablePointer { out in
      tokens.withElements(
        { Kernels.embed(rows, $0, positions: added, virtual: vectors, into: out, width: width) },
        { Kernels.embed(rows, $0, positions: added, virtual: vectors, into: out, width: width) })
    }
  }
  let (tokenShape, positionShape) = (tokens.shape, positions?.shape ?? [])
  let virtualShape = virtual?.shape ?? []
  return result.recorded([tokens.node, positions?.node, virtual?.node]) { gradient, sink in
    func scatter(_ input: Int, _ shape: Shape, _ target: (EmbeddingRow) -> Int?) {
      guard sink.wants(input) else { return }
      sink.accumulate(input, shape) { out, beta in
        if beta == 0 { out.update(repeating: 0, count: shape.count) }
        gradient.withMutablePointer { Kernels.scatterRows($0, into: out, rows.map(target), width: width) }
      }
    }
    scatter(0, tokenShape) { $0.isVirtual ? nil : $0.index }
    scatter(1, positionShape) { $0.position }
    scatter(2, virtualShape) { $0.isVirtual ? $0.index : nil }
  }
}

extension Kernels {
  /// Token and position rows added up, virtual tokens where the rows say so.
  static func embed<E: Element>(
    _ rows: [EmbeddingRow], _ tokens: UnsafeMutablePointer<E>, positions: Pointer?, virtual: Pointer?,
    into out: Pointer, width: Int
  ) {
    parallel(rows.count, grain: max(1, 32_768 / width)) { range in
      for row in range {
        let (entry, target) = (rows[row], out + row * width)
        if entry.isVirtual, let virtual {
          target.update(from: virtual + entry.index * width, count: width)
        } else {
          let source = tokens + entry.index * width
          for c in 0..<width { target[c] = source[c].widened }
        }
        if let positions { addRows(target, positions + entry.position * width, into: target, count: width) }
      }
    }
  }

  /// `out[indices[r]] += rows[r]`, in order, so that repeats sum to the same bits every time; nil rows are skipped.
  static func scatterRows(_ rows: Pointer, into out: Pointer, _ indices: [Int?], width: Int) {
    parallel(width, grain: max(16, 65_536 / max(indices.count, 1))) { columns in
      for (row, index) in indices.enumerated() {
        guard let index else { continue }
        let (source, target) = (rows + row * width, out + index * width)
        for c in columns { target[c] += source[c] }
      }
    }
  }
}
