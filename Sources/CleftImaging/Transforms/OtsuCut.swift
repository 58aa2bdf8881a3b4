/// Cuts a picture to what is brighter than Otsu's threshold.
///
/// - Source: Otsu 1979; OpenCV's `threshold` with `THRESH_OTSU`, to the bit.
public enum OtsuCut {
  /// The threshold that separates the histogram best; 0 for a constant picture.
  public static func threshold(_ image: GrayImage) -> Int {
    let histogram = histogram(image)
    let scale = 1 / Double(image.pixels.count)
    var mean = 0.0
    for index in 0..<256 { mean += Double(index) * Double(histogram[index]) }
    mean *= scale
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
    let limit = UInt8(threshold(image))
    let (width, height) = (image.width, image.height)
    var (rows, columns) = (0..<height, 0..<width)
    image.reading { source in
      func peak(_ y: Int) -> UInt8 {
        let row = source.row(y)
        var peak: UInt8 = 0
        for x in 0..<width { peak = max(peak, row[x]) }
        return peak
      }
      guard let top = rows.first(where: { peak($0) > limit }),
        let bottom = rows.last(where: { peak($0) > limit })
      else { return }
      rows = top..<bottom + 1
      // The brightest level of each column tells its place without a search a row.
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: width) { peaks in
        peaks.initialize(repeating: 0)
        for y in rows {
          let row = source.row(y)
          for x in 0..<width { peaks[x] = max(peaks[x], row[x]) }
        }
        if let left = peaks.firstIndex(where: { $0 > limit }),
          let right = peaks.lastIndex(where: { $0 > limit })
        {
          columns = left..<right + 1
        }
      }
    }
    return (rows, columns)
  }

  /// The picture within the box.
  public static func apply(_ image: GrayImage) -> GrayImage {
    let (rows, columns) = box(image)
    if rows.count == image.height && columns.count == image.width { return image }
    return image.cropped(rows: rows, columns: columns)
  }

  /// How many pixels have each level.
  ///
  /// Four tables take turns: neighbors are often equal, and adding to one place twice in a row waits for memory.
  private static func histogram(_ image: GrayImage) -> [UInt32] {
    var counts = [UInt32](repeating: 0, count: 4 * 256)
    counts.withUnsafeMutableBufferPointer { counts in
      image.pixels.withUnsafeBufferPointer { levels in
        var i = 0
        while i &+ 4 <= levels.count {
          counts[Int(levels[i])] &+= 1
          counts[256 | Int(levels[i &+ 1])] &+= 1
          counts[512 | Int(levels[i &+ 2])] &+= 1
          counts[768 | Int(levels[i &+ 3])] &+= 1
          i &+= 4
        }
        while i < levels.count {
          counts[Int(levels[i])] &+= 1
          i &+= 1
        }
      }
      for level in 0..<256 {
        counts[level] &+= counts[256 | level] &+ counts[512 | level] &+ counts[768 | level]
      }
    }
    return counts
  }
}
