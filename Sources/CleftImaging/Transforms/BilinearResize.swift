/// Resizing as Pillow's `BILINEAR` does it, to the bit: triangle filter, 22-bit fixed point, columns before rows.
///
/// - Source: Pillow 10, `Resample.c`.
public enum BilinearResize {
  /// The source pixels of each target pixel of one axis: `taps` neighbors from `first[i]` on.
  ///
  /// All windows are made equally wide with weights of 0; sums are integers, so that changes nothing.
  private struct Windows {
    var first: [Int] = []
    var weights: [Int32] = []
    let taps: Int

    init(_ count: Int, _ target: Int) {
      let scale = Double(count) / Double(target)
      let support = max(scale, 1)
      func window(_ index: Int) -> (center: Double, first: Int, end: Int) {
        let center = (Double(index) + 0.5) * scale
        return (center, max(Int(center - support + 0.5), 0), min(Int(center + support + 0.5), count))
      }
      // At least four where the picture has them: the passes below unroll that many.
      var widest = 4
      for index in 0..<target { widest = max(widest, window(index).end - window(index).first) }
      taps = min(widest, count)
      first.reserveCapacity(target)
      weights = [Int32](repeating: 0, count: target * taps)
      var shares = [Double](repeating: 0, count: taps)
      for index in 0..<target {
        let (center, low, end) = window(index)
        var sum = 0.0
        for place in low..<end {
          let share = max(0, 1 - abs((Double(place) - center + 0.5) * (1 / support)))
          shares[place - low] = share
          sum += share
        }
        first.append(min(low, count - taps))
        let start = index * taps + low - first[index]
        for j in 0..<end - low { weights[start + j] = Int32(0.5 + shares[j] / sum * Double(1 << 22)) }
      }
    }
  }

  /// Resizes a picture; the aspect ratio is not kept.
  public static func apply(_ image: GrayImage, width: Int, height: Int) -> GrayImage {
    var result = image
    if width != image.width {
      let windows = Windows(image.width, width)
      result = GrayImage(width: width, height: image.height) { target in
        image.reading { acrossRows($0, into: target, windows) }
      }
    }
    if height == result.height { return result }
    let windows = Windows(result.height, height)
    return GrayImage(width: width, height: height) { target in
      result.reading { downColumns($0, into: target, windows) }
    }
  }

  private static func acrossRows(_ source: SourcePlane, into target: TargetPlane, _ windows: Windows) {
    let (taps, least) = (windows.taps, RowBlocks.size)
    windows.first.withUnsafeBufferPointer { first in
      windows.weights.withUnsafeBufferPointer { weights in
        if taps == 4, min(source.width, source.height, target.width) >= least {
          return RowBlocks.forEach(source, into: target) { columns, results in
            for x in 0..<target.width {
              addFour(
                columns + least &* first[x], weights.baseAddress.map { $0 + 4 &* x }, results + least &* x)
            }
          }
        }
        for y in 0..<target.height {
          let (row, out) = (source.row(y), target.row(y))
          for x in 0..<target.width {
            let pixel = row + first[x]
            var sum: Int32 = 1 << 21
            for j in 0..<taps { sum &+= Int32(pixel[j]) &* weights[x &* taps &+ j] }
            out[x] = clip(sum)
          }
        }
      }
    }
  }

  /// The weighted sum of four neighboring columns of a block.
  @inline(__always)
  private static func addFour(
    _ columns: UnsafePointer<UInt8>, _ weights: UnsafePointer<Int32>?, _ out: UnsafeMutablePointer<UInt8>
  ) {
    guard let weights else { return }
    let (a, b, c, d) = (weights[0], weights[1], weights[2], weights[3])
    for lane in 0..<RowBlocks.size {
      var sum: Int32 = 1 << 21
      sum &+= Int32(columns[lane]) &* a &+ Int32(columns[lane &+ 16]) &* b
      sum &+= Int32(columns[lane &+ 32]) &* c &+ Int32(columns[lane &+ 48]) &* d
      out[lane] = clip(sum)
    }
  }

  private static func downColumns(_ source: SourcePlane, into target: TargetPlane, _ windows: Windows) {
    let (taps, width) = (windows.taps, target.width)
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: width) { sums in
      for y in 0..<target.height {
        sums.initialize(repeating: 1 << 21)
        var tap = 0
        while tap + 4 <= taps {
          addFour(source, windows.first[y] + tap, windows.weights[(y * taps + tap)...], to: sums)
          tap += 4
        }
        for tap in tap..<taps {
          let (row, weight) = (source.row(windows.first[y] + tap), windows.weights[y * taps + tap])
          for x in 0..<width { sums[x] &+= Int32(row[x]) &* weight }
        }
        let out = target.row(y)
        for x in 0..<width { out[x] = clip(sums[x]) }
      }
    }
  }

  /// Adds four weighted rows.
  ///
  /// Weights are used in halves of 11 bits: products of 16-bit numbers are one instruction on every x86-64
  /// processor, those of 32-bit numbers are seven.
  private static func addFour(
    _ source: SourcePlane, _ row: Int, _ weights: ArraySlice<Int32>,
    to sums: UnsafeMutableBufferPointer<Int32>
  ) {
    let start = weights.startIndex
    let (a, b, c, d) = (source.row(row), source.row(row + 1), source.row(row + 2), source.row(row + 3))
    let (ka, kb, kc, kd) = (weights[start], weights[start + 1], weights[start + 2], weights[start + 3])
    let (la, lb, lc, ld) = (ka & 0x7FF, kb & 0x7FF, kc & 0x7FF, kd & 0x7FF)
    let (ha, hb, hc, hd) = ((ka >> 11) & 0xFFF, (kb >> 11) & 0xFFF, (kc >> 11) & 0xFFF, (kd >> 11) & 0xFFF)
    for x in 0..<sums.count {
      let (pa, pb, pc, pd) = (Int32(a[x]), Int32(b[x]), Int32(c[x]), Int32(d[x]))
      let low = pa &* la &+ pb &* lb &+ pc &* lc &+ pd &* ld
      let high = pa &* ha &+ pb &* hb &+ pc &* hc &+ pd &* hd
      sums[x] &+= (high << 11) &+ low
    }
  }

  @inline(__always)
  private static func clip(_ sum: Int32) -> UInt8 { UInt8(truncatingIfNeeded: min(max(sum >> 22, 0), 255)) }
}
