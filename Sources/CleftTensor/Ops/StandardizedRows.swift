import COpenBLAS

/// Some rows of features, each feature less its mean and over its deviation, with a 1 behind for the intercept: what
/// linear models multiply.
///
/// The features stay in float32; products widen some rows at a time.
///
/// - Shapes: `Z` `[n, width]`, `width` one more than the scale's columns.
/// - Numerics: float64; sums are taken in an order that does not depend on the number of threads.
public struct StandardizedRows: Sendable {
  /// The features.
  public let features: FeatureMatrix
  /// Which rows of them, in order; one may come several times.
  public let rows: [Int]
  /// Means and deviations.
  public let scale: FeatureScale

  /// Takes rows of features on a scale that may have been measured elsewhere.
  public init(_ features: FeatureMatrix, rows: [Int], scale: FeatureScale) {
    precondition(
      scale.width == features.width, "features: \(features.width) a row on a scale of \(scale.width)")
    (self.features, self.rows, self.scale) = (features, rows, scale)
  }

  /// Rows `n`.
  public var count: Int { rows.count }

  /// Columns, the 1 included.
  public var width: Int { scale.columns.count + 1 }

  /// Rows that are widened at a time by one thread, and for a matrix of sums by all.
  private static let (block, panel) = (128, 1024)
  /// Columns of one tile of a matrix of sums.
  private static let tile = 192
  /// Partial sums of a product over rows.
  private static let parts = 64

  // MARK: - Products

  /// `Z·W`.
  ///
  /// - Shapes: `weights` `[width, columns]` → `[n, columns]`.
  public func products(_ weights: [Double], columns: Int) -> [Double] {
    requireShape(weights.count, width, columns)
    var result = [Double](repeating: 0, count: count * columns)
    result.withUnsafeMutableBufferPointer { result in
      guard let out = result.baseAddress else { return }
      forEachBlock(of: 1 + (count - 1) / Self.block) { range, block in
        multiply(block, range.count, weights, columns, into: out + range.lowerBound * columns)
      }
    }
    return result
  }

  /// `Zᵀ·R`.
  ///
  /// - Shapes: `factors` `[n, columns]` → `[width, columns]`.
  public func sums(_ factors: [Double], columns: Int) -> [Double] {
    requireShape(factors.count, count, columns)
    return factors.withUnsafeBufferPointer { factors in
      accumulate(columns) { range, _, out in
        guard let source = factors.baseAddress else { return }
        out.update(from: source + range.lowerBound * columns, count: range.count * columns)
      }
    }
  }

  /// `Zᵀ·f(Z·W)` in one pass over the features.
  ///
  /// - Shapes: `weights` `[width, columns]` → `[width, columns]`.
  /// - Parameter change: changes some rows of `Z·W` `[rows, columns]` in place; called on several threads at once.
  public func sums(
    through weights: [Double], columns: Int,
    _ change: (_ rows: Range<Int>, _ products: UnsafeMutablePointer<Double>) -> Void
  ) -> [Double] {
    requireShape(weights.count, width, columns)
    return accumulate(columns) { range, block, out in
      multiply(block, range.count, weights, columns, into: out)
      change(range, out)
    }
  }

  /// `Zᵀ·diag(w)·Z`, below and on the diagonal; 0 above.
  ///
  /// - Shapes: `weights` `[n]`, none below 0, nil for 1 each → `[width, width]`.
  public func gram(weights: [Double]? = nil) -> [Double] {
    precondition(weights.map { $0.count == count } ?? true, "features: weights for other rows")
    let (width, tile) = (width, Self.tile)
    var result = [Double](repeating: 0, count: width * width)
    let tiles = 1 + (width - 1) / tile
    let pairs = (0..<tiles).flatMap { i in (0...i).map { (i, $0) } }
    let buffer = UnsafeMutablePointer<Double>.allocate(capacity: max(1, min(count, Self.panel)) * width)
    defer { buffer.deallocate() }
    result.withUnsafeMutableBufferPointer { result in
      guard let out = result.baseAddress else { return }
      for start in stride(from: 0, to: count, by: Self.panel) {
        let rows = start..<min(start + Self.panel, count)
        parallel(rows.count, grain: 16) { part in
          for place in part {
            let factor = weights.map { $0[start + place].squareRoot() } ?? 1
            widen(start + place, into: buffer + place * width, times: factor)
          }
        }
        spread(pairs.count) { pair in
          let (down, across) = (pairs[pair].0 * tile, pairs[pair].1 * tile)
          Self.addTile(
            buffer, rows.count, width, down..<min(down + tile, width), across..<min(across + tile, width),
            into: out)
        }
      }
    }
    return result
  }

  private static func addTile(
    _ block: UnsafeMutablePointer<Double>, _ count: Int, _ width: Int, _ down: Range<Int>,
    _ across: Range<Int>, into out: UnsafeMutablePointer<Double>
  ) {
    let target = out + down.lowerBound * width + across.lowerBound
    if down == across {
      cblas_dsyrk(
        CblasRowMajor, CblasLower, CblasTrans, blasint(down.count), blasint(count), 1,
        block + down.lowerBound, blasint(width), 1, target, blasint(width))
    } else {
      cblas_dgemm(
        CblasRowMajor, CblasTrans, CblasNoTrans, blasint(down.count), blasint(across.count), blasint(count),
        1, block + down.lowerBound, blasint(width), block + across.lowerBound, blasint(width), 1, target,
        blasint(width))
    }
  }

  // MARK: - Blocks of rows

  private func requireShape(_ found: Int, _ rows: Int, _ columns: Int) {
    precondition(
      columns > 0 && found == rows * columns, "features: \(found) numbers for [\(rows), \(columns)]")
  }

  /// One row in float64 with its 1.
  private func widen(_ place: Int, into out: UnsafeMutablePointer<Double>, times factor: Double = 1) {
    features.values.withUnsafeBufferPointer { values in
      let start = rows[place] * features.width
      let columns = scale.columns
      if columns.count == features.width {
        for c in 0..<columns.count {
          out[c] = (Double(values[start + c]) - scale.means[c]) / scale.deviations[c] * factor
        }
      } else {
        for c in 0..<columns.count {
          out[c] = (Double(values[start + columns[c]]) - scale.means[c]) / scale.deviations[c] * factor
        }
      }
      out[columns.count] = factor
    }
  }

  private func multiply(
    _ block: UnsafeMutablePointer<Double>, _ count: Int, _ weights: [Double], _ columns: Int,
    into out: UnsafeMutablePointer<Double>
  ) {
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(count), blasint(columns), blasint(width), 1, block,
      blasint(width), weights, blasint(columns), 0, out, blasint(columns))
  }

  /// Hands every block of rows, widened `[rows, width]`, to `body`; blocks of one part come one after another on one
  /// thread.
  private func forEachBlock(
    of parts: Int, _ body: (_ rows: Range<Int>, _ block: UnsafeMutablePointer<Double>) -> Void
  ) {
    forEachBlock(of: parts) { _, rows, block in body(rows, block) }
  }

  private func forEachBlock(
    of parts: Int,
    _ body: (_ part: Int, _ rows: Range<Int>, _ block: UnsafeMutablePointer<Double>) -> Void
  ) {
    if count == 0 { return }
    _ = Runtime.threadCount
    let blocks = 1 + (count - 1) / Self.block
    let parts = min(parts, blocks)
    spread(parts) { part in
      let buffer = UnsafeMutablePointer<Double>.allocate(capacity: Self.block * width)
      defer { buffer.deallocate() }
      for index in part * blocks / parts..<(part + 1) * blocks / parts {
        let range = index * Self.block..<min((index + 1) * Self.block, count)
        for row in range { widen(row, into: buffer + (row - range.lowerBound) * width) }
        body(part, range, buffer)
      }
    }
  }

  /// `Zᵀ·R`, a block of `R` being what `fill` writes.
  private func accumulate(
    _ columns: Int,
    _ fill: (
      _ rows: Range<Int>, _ block: UnsafeMutablePointer<Double>, _ factors: UnsafeMutablePointer<Double>
    ) -> Void
  ) -> [Double] {
    let size = width * columns
    var partial = [Double](repeating: 0, count: Self.parts * size)
    partial.withUnsafeMutableBufferPointer { partial in
      guard let sums = partial.baseAddress else { return }
      forEachBlock(of: Self.parts) { part, range, block in
        withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.block * columns) { factors in
          guard let factors = factors.baseAddress else { return }
          fill(range, block, factors)
          cblas_dgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, blasint(width), blasint(columns), blasint(range.count),
            1, block, blasint(width), factors, blasint(columns), 1, sums + part * size, blasint(columns))
        }
      }
    }
    var result = [Double](repeating: 0, count: size)
    for part in 0..<Self.parts { for place in 0..<size { result[place] += partial[part * size + place] } }
    return result
  }
}
