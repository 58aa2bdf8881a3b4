/// Curves for files and figures: fewer points, the same line.
package enum CurveThinning {
  /// At most `limit` of the points, both ends among them, so that the line through them strays least from the whole one.
  ///
  /// The point farthest from the line so far is taken next, until all are within a ten-thousandth.
  ///
  /// - Source: Ramer 1972; Douglas and Peucker 1973, with a budget of points.
  package static func thin(_ points: [CurvePoint], limit: Int = 200) -> [CurvePoint] {
    precondition(limit >= 2, "curve: at most \(limit) points")
    if points.count <= limit { return points }
    var kept = [0, points.count - 1]
    var stretches = [Stretch(points, 0, points.count - 1)]
    while kept.count < limit, let worst = stretches.indices.max(by: { stretches[$0] < stretches[$1] }),
      stretches[worst].distance > 1e-4
    {
      let stretch = stretches.remove(at: worst)
      kept.append(stretch.middle)
      stretches.append(Stretch(points, stretch.start, stretch.middle))
      stretches.append(Stretch(points, stretch.middle, stretch.end))
    }
    return kept.sorted().map { points[$0] }
  }

  /// Points between two that are kept, and the one farthest from the line between those.
  private struct Stretch {
    let start, end: Int
    private(set) var middle: Int
    private(set) var distance = 0.0

    init(_ points: [CurvePoint], _ start: Int, _ end: Int) {
      (self.start, self.end, middle) = (start, end, start)
      let (from, to) = (points[start], points[end])
      let (width, height) = (to.x - from.x, to.y - from.y)
      let square = width * width + height * height
      for place in start + 1..<max(end, start + 1) {
        let (x, y) = (points[place].x - from.x, points[place].y - from.y)
        let along = square > 0 ? min(max((x * width + y * height) / square, 0), 1) : 0
        let (dx, dy) = (x - along * width, y - along * height)
        let distance = (dx * dx + dy * dy).squareRoot()
        if distance > self.distance { (self.distance, middle) = (distance, place) }
      }
    }

    static func < (one: Stretch, other: Stretch) -> Bool { one.distance < other.distance }
  }
}
