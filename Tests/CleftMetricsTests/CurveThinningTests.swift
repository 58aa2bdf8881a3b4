import CleftMetrics
import CleftTensor
import Testing

@Suite struct CurveThinningTests {
  @Test func fewPointsStay() {
    let points = (0..<200).map { CurvePoint(Double($0) / 199, Double($0 % 2)) }
    #expect(CurveThinning.thin(points) == points)
  }

  @Test func aStepStaysAmongThousandsOfPoints() {
    // Up to 0.8 at once at x = 0.25, flat before and after.
    let points = (0...4000).map { CurvePoint(Double($0) / 4000, $0 < 1000 ? 0 : 0.8) }
    let thin = CurveThinning.thin(points)
    #expect(thin == [points[0], points[999], points[1000], points[4000]])
  }

  @Test func aCurveIsKeptWithinAThousandth() throws {
    let key = RandomKey(seed: 4)
    let scores = normals(key, 6000).enumerated().map { $0.element + ($0.offset % 2 == 0 ? 1.5 : 0) }
    let roc = RankedScores(scores: scores, isPositive: scores.indices.map { $0 % 2 == 0 }).roc()
    let thin = CurveThinning.thin(roc)
    #expect(roc.count > 1000 && thin.count <= 200)
    #expect(thin.first == CurvePoint(0, 0) && thin.last == CurvePoint(1, 1))
    // Every point left out lies near the line between its neighbors, seen along the falling diagonal.
    var segment = 0
    for point in roc {
      while thin[segment + 1].x + thin[segment + 1].y < point.x + point.y { segment += 1 }
      let (from, to) = (thin[segment], thin[segment + 1])
      let length = to.x + to.y - from.x - from.y
      let share = length > 0 ? (point.x + point.y - from.x - from.y) / length : 0
      #expect(abs(from.y + share * (to.y - from.y) - point.y) < 4e-3)
    }
  }
}
