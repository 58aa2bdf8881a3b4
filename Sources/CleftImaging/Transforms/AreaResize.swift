/// Resizing as OpenCV's `INTER_AREA` does it, to the bit.
///
/// Shrinking averages the covered area in float32; where either axis grows, OpenCV switches to fixed-point linear
/// interpolation with area-like phase for both.
/// - Source: OpenCV 4.8, `resize.cpp`.
enum AreaResize {
  static func resize(_ image: GrayImage, width: Int, height: Int) -> GrayImage {
    if width == image.width && height == image.height { return image }
    let (sx, sy) = (Double(image.width) / Double(width), Double(image.height) / Double(height))
    if sx < 1 || sy < 1 { return enlarged(image, width, height) }
    if image.width % width == 0 && image.height % height == 0 {
      return blockMeans(image, width, height, image.width / width, image.height / height)
    }
    return covered(image, width, height, sx, sy)
  }

  private static func blockMeans(_ image: GrayImage, _ width: Int, _ height: Int, _ across: Int, _ down: Int)
    -> GrayImage
  {
    var result = GrayImage(width: width, height: height)
    let share = 1 / Float(across * down)
    for y in 0..<height {
      for x in 0..<width {
        var sum = 0
        for v in 0..<down { for u in 0..<across { sum += Int(image[x * across + u, y * down + v]) } }
        result[x, y] =
          across == 2 && down == 2
          ? UInt8((sum + 2) >> 2) : level((Float(sum) * share).rounded(.toNearestOrEven))
      }
    }
    return result
  }

  private struct Tap {
    let source, target: Int
    let weight: Float
  }

  /// Shares of the source pixels in each target pixel of one axis.
  private static func taps(_ count: Int, _ target: Int, _ scale: Double) -> [Tap] {
    var taps: [Tap] = []
    for index in 0..<target {
      let start = Double(index) * scale
      let end = start + scale
      let cell = min(scale, Double(count) - start)
      let last = min(Int(end.rounded(.down)), count - 1)
      let first = min(Int(start.rounded(.up)), last)
      if Double(first) - start > 1e-3 {
        taps.append(Tap(source: first - 1, target: index, weight: Float((Double(first) - start) / cell)))
      }
      for source in first..<last { taps.append(Tap(source: source, target: index, weight: Float(1 / cell))) }
      if end - Double(last) > 1e-3 {
        taps.append(
          Tap(source: last, target: index, weight: Float(min(min(end - Double(last), 1), cell) / cell)))
      }
    }
    return taps
  }

  private static func covered(
    _ image: GrayImage, _ width: Int, _ height: Int, _ sx: Double, _ sy: Double
  ) -> GrayImage {
    var result = GrayImage(width: width, height: height)
    let columns = taps(image.width, width, sx)
    var line = [Float](repeating: 0, count: width)
    var sum = [Float](repeating: 0, count: width)
    var row = 0
    image.pixels.withUnsafeBufferPointer { pixels in
      for (index, tap) in taps(image.height, height, sy).enumerated() {
        if tap.target != row || index == 0 {
          if index > 0 { store(sum, &result, row) }
          row = tap.target
          for x in 0..<width { sum[x] = 0 }
        }
        for x in 0..<width { line[x] = 0 }
        let base = tap.source * image.width
        for column in columns { line[column.target] += Float(pixels[base + column.source]) * column.weight }
        for x in 0..<width { sum[x] += tap.weight * line[x] }
      }
    }
    store(sum, &result, row)
    return result
  }

  private static func store(_ sum: [Float], _ result: inout GrayImage, _ row: Int) {
    for x in sum.indices { result.pixels[row * result.width + x] = level(sum[x].rounded(.toNearestOrEven)) }
  }

  private static func enlarged(_ image: GrayImage, _ width: Int, _ height: Int) -> GrayImage {
    let columns = linearTaps(image.width, width)
    let rows = linearTaps(image.height, height)
    var result = GrayImage(width: width, height: height)
    for y in 0..<height {
      let (top, rowWeights) = rows[y]
      let bottom = min(top + 1, image.height - 1)
      for x in 0..<width {
        let (left, weights) = columns[x]
        let right = min(left + 1, image.width - 1)
        let upper = Int(image[left, top]) * weights.0 + Int(image[right, top]) * weights.1
        let lower = Int(image[left, bottom]) * weights.0 + Int(image[right, bottom]) * weights.1
        let sum = ((rowWeights.0 * (upper >> 4)) >> 16) + ((rowWeights.1 * (lower >> 4)) >> 16) + 2
        result[x, y] = UInt8(min(max(sum >> 2, 0), 255))
      }
    }
    return result
  }

  private static func linearTaps(_ count: Int, _ target: Int) -> [(Int, (Int, Int))] {
    let inverse = Double(target) / Double(count)
    let scale = 1 / inverse
    return (0..<target).map { index in
      var position = Int((Double(index) * scale).rounded(.down))
      var fraction = Float(Double(index + 1) - Double(position + 1) * inverse)
      fraction = fraction <= 0 ? 0 : fraction - fraction.rounded(.down)
      if position >= count - 1 { (position, fraction) = (count - 1, 0) }
      let weights = (
        ((1 - fraction) * 2048).rounded(.toNearestOrEven), (fraction * 2048).rounded(.toNearestOrEven)
      )
      return (position, (Int(weights.0), Int(weights.1)))
    }
  }
}

/// A rounded level held to 0 … 255.
@inline(__always)
func level(_ value: Float) -> UInt8 { UInt8(min(max(value, 0), 255)) }
