import CleftTensor

/// Resampling of a square grid of position embeddings, as a matrix from stored to wanted positions.
///
/// Models with registers use antialiased bicubic weights (a = -0.5); models without use DINOv2's older way: scale
/// factor `(new + 0.1)/old`, no antialiasing, a = -0.75, border clamp.
/// - Source: facebookresearch/dinov2, `interpolate_pos_encoding`; PyTorch `interpolate`.
public enum PositionInterpolation {
  /// Weights of one axis: row `i` gives the share of each old position in new position `i`.
  ///
  /// - Shapes: `[new][old]`; each row sums to 1.
  public static func axisWeights(from old: Int, to new: Int, antialias: Bool) -> [[Double]] {
    antialias ? antialiasedWeights(old, new) : plainWeights(old, new)
  }

  /// The matrix for tables with `classRows` (0 or 1) rows in front that stay as they are.
  ///
  /// - Shapes: `[classRows + height·width, classRows + old·old]`.
  public static func matrix(from old: Int, height: Int, width: Int, classRows: Int, antialias: Bool) -> Tensor
  {
    let down = axisWeights(from: old, to: height, antialias: antialias)
    let across = axisWeights(from: old, to: width, antialias: antialias)
    let columns = classRows + old * old
    var values = [Float](repeating: 0, count: (classRows + height * width) * columns)
    for row in 0..<classRows { values[row * columns + row] = 1 }
    for y in 0..<height {
      for x in 0..<width {
        let base = (classRows + y * width + x) * columns + classRows
        for v in 0..<old where down[y][v] != 0 {
          for u in 0..<old { values[base + v * old + u] = Float(down[y][v] * across[x][u]) }
        }
      }
    }
    return Tensor([classRows + height * width, columns], values)
  }

  private static func cubic(_ distance: Double, _ a: Double) -> Double {
    let x = abs(distance)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return a * (((x - 5) * x + 8) * x - 4) }
    return 0
  }

  private static func antialiasedWeights(_ old: Int, _ new: Int) -> [[Double]] {
    let scale = Double(old) / Double(new)
    let stretch = max(scale, 1)
    let support = 2 * stretch
    return (0..<new).map { index in
      let center = scale * (Double(index) + 0.5)
      let first = max(Int(center - support + 0.5), 0)
      let last = min(Int(center + support + 0.5), old)
      var weights = [Double](repeating: 0, count: old)
      for j in first..<last { weights[j] = cubic((Double(j) - center + 0.5) / stretch, -0.5) }
      let sum = weights.reduce(0, +)
      return weights.map { $0 / sum }
    }
  }

  private static func plainWeights(_ old: Int, _ new: Int) -> [[Double]] {
    let scale = Double(old) / (Double(new) + 0.1)
    return (0..<new).map { index in
      let source = (Double(index) + 0.5) * scale - 0.5
      let base = Int(source.rounded(.down))
      let fraction = source - Double(base)
      var weights = [Double](repeating: 0, count: old)
      for tap in -1...2 {
        weights[min(max(base + tap, 0), old - 1)] += cubic(fraction - Double(tap), -0.75)
      }
      return weights
    }
  }
}
