/// Sixteen rows at a time, turned so that a column of them is one vector.
///
/// What a pass along rows does to a pixel and its neighbors then happens to sixteen pixels at once.
enum RowBlocks {
  /// Rows in a block, and the fewest rows and columns that blocks work on.
  static let size = 16

  /// Turns blocks, hands them on, and turns the results back; blocks at the far edge overlap.
  ///
  /// `body` makes `target.width` columns of sixteen levels out of `source.width`.
  static func forEach(
    _ source: SourcePlane, into target: TargetPlane,
    _ body: (_ columns: UnsafePointer<UInt8>, _ results: UnsafeMutablePointer<UInt8>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size * (source.width + target.width)) { buffer in
      guard let columns = buffer.baseAddress else { return }
      let results = columns + size * source.width
      forEachStart(upTo: target.height) { y in
        forEachStart(upTo: source.width) { x in
          transpose(source.row(y) + x, source.width, into: columns + size * x, size)
        }
        body(columns, results)
        forEachStart(upTo: target.width) { x in
          transpose(results + size * x, size, into: target.row(y) + x, target.stride)
        }
      }
    }
  }

  /// Starts of blocks that cover `0 ..< end`, the last one moved back where it would stand out.
  @inline(__always)
  private static func forEachStart(upTo end: Int, _ body: (Int) -> Void) {
    for start in stride(from: 0, to: end, by: size) { body(min(start, end - size)) }
  }

  /// Turns 16 × 16 levels: four times the halves are riffled like cards.
  @inline(__always)
  private static func transpose(
    _ source: UnsafePointer<UInt8>, _ sourceStride: Int, into target: UnsafeMutablePointer<UInt8>,
    _ targetStride: Int
  ) {
    withUnsafeTemporaryAllocation(of: SIMD16<UInt8>.self, capacity: 2 * size) { rows in
      for i in 0..<size {
        rows[i] = UnsafeRawPointer(source + i &* sourceStride).loadUnaligned(as: SIMD16<UInt8>.self)
      }
      for stage in 0..<4 {
        let (from, to) = stage & 1 == 0 ? (0, size) : (size, 0)
        for i in 0..<size / 2 {
          let (upper, lower) = (rows[from &+ i], rows[from &+ i &+ size / 2])
          var (first, second) = (upper, upper)
          (first.evenHalf, first.oddHalf) = (upper.lowHalf, lower.lowHalf)
          (second.evenHalf, second.oddHalf) = (upper.highHalf, lower.highHalf)
          rows[to &+ 2 &* i] = first
          rows[to &+ 2 &* i &+ 1] = second
        }
      }
      for i in 0..<size {
        UnsafeMutableRawPointer(target + i &* targetStride).storeBytes(of: rows[i], as: SIMD16<UInt8>.self)
      }
    }
  }
}
