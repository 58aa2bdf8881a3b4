/// Resizing as OpenCV's `INTER_AREA` does it, to the bit.
///
/// Shrinking averages the covered area in float32; where either axis grows, OpenCV switches to fixed-point linear
/// interpolation with area-like phase for both.
/// - Source: OpenCV 4.8, `resize.cpp`.
enum AreaResize {
  /// Resizes a picture to the size of `target`; the aspect ratio is not kept.
  static func resize(_ source: SourcePlane, into target: TargetPlane) {
    if source.width == target.width && source.height == target.height {
      for y in 0..<target.height { target.row(y).update(from: source.row(y), count: target.width) }
    } else if source.width < target.width || source.height < target.height {
      AreaEnlargement.resize(source, into: target)
    } else if source.width % target.width == 0 && source.height % target.height == 0 {
      blockMeans(source, into: target)
    } else {
      AreaCoverage.resize(source, into: target)
    }
  }

  /// Means of whole blocks: sums are integers and exact, so columns may be added up first.
  private static func blockMeans(_ source: SourcePlane, into target: TargetPlane) {
    let (across, down) = (source.width / target.width, source.height / target.height)
    let share = 1 / Float(across * down)
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: source.width) { sums in
      for y in 0..<target.height {
        sums.initialize(repeating: 0)
        for v in 0..<down {
          let row = source.row(y * down + v)
          for x in 0..<source.width { sums[x] &+= UInt32(row[x]) }
        }
        let out = target.row(y)
        for x in 0..<target.width {
          var sum: UInt32 = 0
          for u in 0..<across { sum &+= sums[x &* across &+ u] }
          out[x] =
            across == 2 && down == 2
            ? UInt8(truncatingIfNeeded: (sum &+ 2) >> 2) : roundedLevel(Float(Int32(bitPattern: sum)) * share)
        }
      }
    }
  }
}
