import Foundation

/// One run's line in a chart.
struct RunCurve {
  /// Number of the run, which decides color and dashes.
  let run: Int
  /// The run's name.
  let name: String
  let points: [(x: Double, y: Double)]

  /// The mean of each point and its neighbors, near ones counting more; fewer of them at the ends.
  ///
  /// - Returns: the curve and how many points a mean is over; nil for a curve too short to be smoothed.
  func smoothed() -> (curve: RunCurve, width: Int)? {
    let side = points.count / 150
    if side == 0 { return nil }
    let means = Self.means(Self.means(points.map(\.y), side), side)
    let curve = RunCurve(run: run, name: name, points: zip(points, means).map { ($0.x, $1) })
    return (curve, 4 * side + 1)
  }

  /// Means over as many values on each side.
  private static func means(_ values: [Double], _ side: Int) -> [Double] {
    var sums = [0.0]
    sums.reserveCapacity(values.count + 1)
    for value in values { sums.append(sums[sums.count - 1] + value) }
    return values.indices.map { index in
      let reach = min(side, index, values.count - 1 - index)
      return (sums[index + reach + 1] - sums[index - reach]) / Double(2 * reach + 1)
    }
  }

  /// At most `limit` points: of each stretch the first, the least, the largest and the last, so that no peak is lost.
  func thinned(to limit: Int = 800) -> RunCurve {
    if points.count <= limit { return self }
    let stretches = limit / 4
    var kept: [(x: Double, y: Double)] = []
    kept.reserveCapacity(limit)
    for stretch in 0..<stretches {
      let range = points.count * stretch / stretches..<points.count * (stretch + 1) / stretches
      guard let least = range.min(by: { points[$0].y < points[$1].y }),
        let most = range.max(by: { points[$0].y < points[$1].y })
      else { continue }
      let chosen = Set([range.lowerBound, least, most, range.upperBound - 1])
      kept += chosen.sorted().map { points[$0] }
    }
    return RunCurve(run: run, name: name, points: kept)
  }

  /// Colors that those tell apart who do not see all of them; each run has its own, and dashes of its own besides.
  static let css = """

    :root { --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #56b4e9; --c6: #000;
      --c7: #b3a600 }
    @media screen and (prefers-color-scheme: dark) { :root { --c0: #2f8fd0; --c6: #fff; --c7: #f0e442 } }
    \((0..<colorCount).map { ".c\($0) { stroke: var(--c\($0)); color: var(--c\($0)) }" }.joined(separator: "\n"))

    """

  private static let colorCount = 8
  /// Seven of them, so that with eight colors 56 runs look different.
  private static let dashes = ["", "7 3", "2 3", "9 3 2 3", "12 4", "5 2 1 2 1 2", "4 5"]

  /// Attributes of a run's line.
  static func attributes(_ run: Int) -> String {
    let dash = dashes[run % dashes.count]
    return "class=\"c\(run % colorCount)\"" + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")
  }

  /// A short line as a run's is drawn.
  static func sample(_ run: Int) -> String {
    """
    <svg class="sample" viewBox="0 0 40 10" width="40" height="10" aria-hidden="true">\
    <line \(attributes(run)) x1="1" y1="5" x2="39" y2="5" stroke-width="2.5"/></svg>
    """
  }
}
