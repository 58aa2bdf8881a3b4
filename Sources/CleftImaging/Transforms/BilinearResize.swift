/// Resizing as Pillow's `BILINEAR` does it, to the bit: triangle filter, 22-bit fixed point, columns before rows.
///
/// - Source: Pillow 10, `Resample.c`.
public enum BilinearResize {
  private struct Window {
    let first: Int
    let weights: [Int32]
  }

  /// Resizes a picture; the aspect ratio is not kept.
  public static func apply(_ image: GrayImage, width: Int, height: Int) -> GrayImage {
    var result = image
    if width != image.width {
      let windows = windows(image.width, width)
      var next = GrayImage(width: width, height: image.height)
      image.pixels.withUnsafeBufferPointer { source in
        for y in 0..<image.height {
          let base = y * image.width
          for x in 0..<width {
            let window = windows[x]
            var sum: Int32 = 1 << 21
            for (j, weight) in window.weights.enumerated() {
              sum &+= Int32(source[base + window.first + j]) &* weight
            }
            next.pixels[y * width + x] = clip(sum)
          }
        }
      }
      result = next
    }
    if height != result.height {
      let windows = windows(result.height, height)
      var next = GrayImage(width: width, height: height)
      var sums = [Int32](repeating: 0, count: width)
      result.pixels.withUnsafeBufferPointer { source in
        for y in 0..<height {
          for x in 0..<width { sums[x] = 1 << 21 }
          for (j, weight) in windows[y].weights.enumerated() {
            let base = (windows[y].first + j) * width
            for x in 0..<width { sums[x] &+= Int32(source[base + x]) &* weight }
          }
          for x in 0..<width { next.pixels[y * width + x] = clip(sums[x]) }
        }
      }
      result = next
    }
    return result
  }

  @inline(__always)
  private static func clip(_ sum: Int32) -> UInt8 { UInt8(min(max(sum >> 22, 0), 255)) }

  private static func windows(_ count: Int, _ target: Int) -> [Window] {
    let scale = Double(count) / Double(target)
    let support = max(scale, 1)
    return (0..<target).map { index in
      let center = (Double(index) + 0.5) * scale
      let first = max(Int(center - support + 0.5), 0)
      let last = min(Int(center + support + 0.5), count)
      let weights = (first..<last).map { max(0, 1 - abs((Double($0) - center + 0.5) / support)) }
      let sum = weights.reduce(0, +)
      return Window(first: first, weights: weights.map { Int32(0.5 + $0 / sum * Double(1 << 22)) })
    }
  }
}
