/// Cuts a picture to what is brighter than Otsu's threshold.
///
/// - Source: Otsu 1979; OpenCV's `threshold` with `THRESH_OTSU`, to the bit.
public enum OtsuCut {
  /// The threshold that separates the histogram best; 0 for a constant picture.
  public static func threshold(_ image: GrayImage) -> Int {
    var histogram = [Int](repeating: 0, count: 256)
    for pixel in image.pixels { histogram[Int(pixel)] += 1 }
    let scale = 1 / Double(image.pixels.count)
    let mean = (0..<256).reduce(0.0) { $0 + Double($1) * Double(histogram[$1]) } * scale
    let epsilon = Double(Float.ulpOfOne)
    var (lowMean, lowShare, best, threshold) = (0.0, 0.0, 0.0, 0)
    for index in 0..<256 {
      let share = Double(histogram[index]) * scale
      lowMean *= lowShare
      lowShare += share
      let highShare = 1 - lowShare
      if min(lowShare, highShare) < epsilon || max(lowShare, highShare) > 1 - epsilon { continue }
      lowMean = (lowMean + Double(index) * share) / lowShare
      let highMean = (mean - lowShare * lowMean) / highShare
      let spread = lowShare * highShare * (lowMean - highMean) * (lowMean - highMean)
      if spread > best { (best, threshold) = (spread, index) }
    }
    return threshold
  }

  /// Rows and columns that hold brighter pixels; the whole picture if there are none.
  public static func box(_ image: GrayImage) -> (rows: Range<Int>, columns: Range<Int>) {
    let limit = threshold(image)
    var (top, bottom, left, right) = (image.height, -1, image.width, -1)
    image.pixels.withUnsafeBufferPointer { pixels in
      for y in 0..<image.height {
        let line = pixels[y * image.width..<(y + 1) * image.width]
        guard let first = line.firstIndex(where: { Int($0) > limit }),
          let last = line.lastIndex(where: { Int($0) > limit })
        else { continue }
        top = min(top, y)
        bottom = y
        left = min(left, first - line.startIndex)
        right = max(right, last - line.startIndex)
      }
    }
    if bottom < 0 { return (0..<image.height, 0..<image.width) }
    return (top..<bottom + 1, left..<right + 1)
  }

  /// The picture within the box.
  public static func apply(_ image: GrayImage) -> GrayImage {
    let (rows, columns) = box(image)
    return image.cropped(rows: rows, columns: columns)
  }
}
