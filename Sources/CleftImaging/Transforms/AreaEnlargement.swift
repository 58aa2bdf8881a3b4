/// The part of `INTER_AREA` for pictures that grow along either axis: linear interpolation in fixed point.
enum AreaEnlargement {
  /// The two source pixels of each target pixel of one axis; shares are in parts of 2,048.
  private struct Blend {
    var place: [Int] = []
    var shares: [(Int32, Int32)] = []

    init(_ count: Int, _ target: Int) {
      let inverse = Double(target) / Double(count)
      let scale = 1 / inverse
      for index in 0..<target {
        var position = Int((Double(index) * scale).rounded(.down))
        var fraction = Float(Double(index + 1) - Double(position + 1) * inverse)
        fraction = fraction <= 0 ? 0 : fraction - fraction.rounded(.down)
        if position >= count - 1 { (position, fraction) = (count - 1, 0) }
        place.append(position)
        shares.append(
          (
            Int32(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
            Int32((fraction * 2048).rounded(.toNearestOrEven))
          ))
      }
    }
  }

  /// Resizes a picture to the size of `target`.
  static func resize(_ source: SourcePlane, into target: TargetPlane) {
    let width = target.width
    let (columns, rows) = (Blend(source.width, width), Blend(source.height, target.height))
    withUnsafeTemporaryAllocation(of: Int16.self, capacity: 2 * width) { lines in
      // Two neighboring rows after the horizontal pass, even ones in the first half.
      var held = (even: -1, odd: -1)
      func line(_ row: Int) -> Slice<UnsafeMutableBufferPointer<Int16>> {
        let isOdd = row % 2 == 1
        let line = isOdd ? lines[width...] : lines[..<width]
        if (isOdd ? held.odd : held.even) != row {
          blend(source.row(row), source.width, columns, into: UnsafeMutableBufferPointer(rebasing: line))
          if isOdd { held.odd = row } else { held.even = row }
        }
        return line
      }
      for y in 0..<target.height {
        let upper = UnsafeMutableBufferPointer(rebasing: line(rows.place[y]))
        let lower = UnsafeMutableBufferPointer(rebasing: line(min(rows.place[y] + 1, source.height - 1)))
        let (first, second) = rows.shares[y]
        let out = target.row(y)
        for x in 0..<width {
          let sum = ((first &* Int32(upper[x])) >> 16) &+ ((second &* Int32(lower[x])) >> 16) &+ 2
          out[x] = UInt8(truncatingIfNeeded: min(sum >> 2, 255))
        }
      }
    }
  }

  /// The horizontal pass over one row; the sums lose four bits, after which they fit 16.
  private static func blend(
    _ row: UnsafePointer<UInt8>, _ count: Int, _ columns: Blend, into line: UnsafeMutableBufferPointer<Int16>
  ) {
    columns.place.withUnsafeBufferPointer { place in
      columns.shares.withUnsafeBufferPointer { shares in
        for x in 0..<line.count {
          let (left, right) = (place[x], min(place[x] &+ 1, count &- 1))
          let sum = Int32(row[left]) &* shares[x].0 &+ Int32(row[right]) &* shares[x].1
          line[x] = Int16(truncatingIfNeeded: sum >> 4)
        }
      }
    }
  }
}
