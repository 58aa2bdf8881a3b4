/// The part of `INTER_AREA` for shrinking by a ratio that is not whole: pixels count by their covered share.
///
/// Order of additions, and so every bit, is OpenCV's: within a row in order of columns, then row by row.
enum AreaCoverage {
  /// Rows that are added up side by side, one a vector lane.
  private static let lanes = 4

  /// The source pixels under each target pixel of one axis: neighbors, from `first[i]` on, with their shares in
  /// `shares[ends[i - 1]..<ends[i]]`.
  private struct Cover {
    var first: [Int] = []
    var ends: [Int] = [0]
    var shares: [Float] = []

    init(_ count: Int, _ target: Int) {
      let scale = Double(count) / Double(target)
      for index in 0..<target {
        let start = Double(index) * scale
        let end = start + scale
        let cell = min(scale, Double(count) - start)
        let last = min(Int(end.rounded(.down)), count - 1)
        let whole = min(Int(start.rounded(.up)), last)
        // Slivers below a thousandth of a pixel are left out, as in the original.
        let hasHead = Double(whole) - start > 1e-3
        if hasHead { shares.append(Float((Double(whole) - start) / cell)) }
        for _ in whole..<last { shares.append(Float(1 / cell)) }
        if end - Double(last) > 1e-3 { shares.append(Float(min(min(end - Double(last), 1), cell) / cell)) }
        first.append(hasHead ? whole - 1 : whole)
        ends.append(shares.count)
      }
    }
  }

  /// Working memory of one resize.
  private struct Scratch {
    /// Four rows of the source as floats, interleaved.
    let columns: UnsafeMutablePointer<SIMD4<Float>>
    /// The same rows after the horizontal pass, one after the other.
    let lines: UnsafeMutablePointer<Float>
    /// The target row under way.
    let sum: UnsafeMutablePointer<Float>
  }

  /// Resizes a picture to the size of `target`, which is not larger in either direction.
  static func resize(_ source: SourcePlane, into target: TargetPlane) {
    let width = target.width
    let columns = UnsafeMutablePointer<SIMD4<Float>>.allocate(capacity: source.width)
    let lines = UnsafeMutablePointer<Float>.allocate(capacity: (lanes + 1) * width)
    defer {
      columns.deallocate()
      lines.deallocate()
    }
    let scratch = Scratch(columns: columns, lines: lines, sum: lines + lanes * width)
    let across = Cover(source.width, width)
    let down = Cover(source.height, target.height)
    var ready = -lanes
    for y in 0..<target.height {
      scratch.sum.update(repeating: 0, count: width)
      for (offset, tap) in (down.ends[y]..<down.ends[y + 1]).enumerated() {
        let row = down.first[y] + offset
        if row >= ready + lanes {
          ready = row
          shrinkRows(from: row, source, across, scratch, width)
        }
        add(scratch.lines + (row - ready) * width, times: down.shares[tap], to: scratch.sum, width)
      }
      let out = target.row(y)
      for x in 0..<width { out[x] = roundedLevel(scratch.sum[x]) }
    }
  }

  @inline(__always)
  private static func add(
    _ line: UnsafeMutablePointer<Float>, times share: Float, to sum: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    for x in 0..<count { sum[x] += share * line[x] }
  }

  /// The horizontal pass over four rows at once; rows below the picture repeat its last one and are not used.
  private static func shrinkRows(
    from top: Int, _ source: SourcePlane, _ across: Cover, _ scratch: Scratch, _ width: Int
  ) {
    func row(_ lane: Int) -> UnsafePointer<UInt8> { source.row(min(top + lane, source.height - 1)) }
    let columns = scratch.columns
    interleave(row(0), row(1), row(2), row(3), source.width, into: columns)
    let (line0, line1) = (scratch.lines, scratch.lines + width)
    let (line2, line3) = (line0 + 2 * width, line0 + 3 * width)
    across.first.withUnsafeBufferPointer { first in
      across.ends.withUnsafeBufferPointer { ends in
        across.shares.withUnsafeBufferPointer { shares in
          var tap = 0
          for x in 0..<width {
            var sum = SIMD4<Float>.zero
            var pixel = columns + first[x]
            while tap < ends[x &+ 1] {
              sum += pixel.pointee * shares[tap]
              pixel += 1
              tap &+= 1
            }
            (line0[x], line1[x], line2[x], line3[x]) = (sum[0], sum[1], sum[2], sum[3])
          }
        }
      }
    }
  }

  @inline(__always)
  private static func interleave(
    _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ c: UnsafePointer<UInt8>,
    _ d: UnsafePointer<UInt8>, _ count: Int, into columns: UnsafeMutablePointer<SIMD4<Float>>
  ) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) { packed in
      for x in 0..<count {
        let low = UInt32(a[x]) | UInt32(b[x]) << 8
        packed[x] = UInt32(littleEndian: low | UInt32(c[x]) << 16 | UInt32(d[x]) << 24)
      }
      packed.withMemoryRebound(to: UInt8.self) { levels in
        columns.withMemoryRebound(to: Float.self, capacity: 4 * count) { out in
          for i in 0..<4 * count { out[i] = Float(levels[i]) }
        }
      }
    }
  }
}
