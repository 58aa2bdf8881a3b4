import CleftMetrics
import CleftTensor
import Foundation
import Testing

/// Standard normal numbers from a key.
func normals(_ key: RandomKey, _ count: Int) -> [Double] {
  (0..<count).map { index in
    let radius = (-2 * log(1 - key.uniform(at: 2 * index))).squareRoot()
    return radius * cos(2 * Double.pi * key.uniform(at: 2 * index + 1))
  }
}

@Suite struct BootstrapTests {
  private let key = RandomKey(seed: 7)

  /// The mean of numbers that count as often as their weights say.
  private func mean(_ values: [Double]) -> @Sendable ([Double]) -> [Double?] {
    { weights in
      let total = weights.reduce(0, +)
      return [zip(values, weights).reduce(0) { $0 + $1.0 * $1.1 } / total]
    }
  }

  @Test func aPatientsSamplesAreDrawnTogether() {
    let bootstrap = Bootstrap(draws: 50, key: key)
    let found = bootstrap.resample(clusters: [9, 9, 4, 4, 4, 7]) { weights in weights }
    #expect(found.whole == [1, 1, 1, 1, 1, 1] && found.clusterCount == 3 && found.draws.count == 50)
    for draw in found.draws.map({ $0.compactMap { $0 } }) {
      #expect(draw[0] == draw[1] && draw[2] == draw[3] && draw[3] == draw[4])
      #expect(draw[0] + draw[2] + draw[5] == 3)
    }
    #expect(Set(found.draws).count > 5)
    let without: Set<[Double?]> = [[0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 1], [1, 1, 1, 1, 1, 0]]
    #expect(Set(found.leftOut) == without && found.leftOut.count == 3)
  }

  @Test func groupsLeftOutAreOfEqualSize() {
    let found = Bootstrap(draws: 1, key: key).resample(clusters: Array(0..<501)) { weights in weights }
    #expect(found.leftOut.count == 200)
    let sizes = found.leftOut.map { $0.count { $0 == 0 } }
    #expect(sizes.allSatisfy { $0 == 2 || $0 == 3 } && sizes.reduce(0, +) == 501)
  }

  @Test func drawsFollowFromTheKeyAndTheirNumber() {
    let clusters = (0..<40).map { $0 / 2 }
    let long = Bootstrap(draws: 30, key: key).resample(clusters: clusters) { weights in weights }
    let short = Bootstrap(draws: 5, key: key).resample(clusters: clusters) { weights in weights }
    let other = Bootstrap(draws: 5, key: RandomKey(seed: 8)).resample(clusters: clusters) { weights in weights
    }
    #expect(Array(long.draws[..<5]) == short.draws && long.leftOut == short.leftOut)
    #expect(other.draws != short.draws)
  }

  @Test func theIntervalOfAMeanIsTheTextbooks() throws {
    let values = normals(key.split("values"), 400)
    let found = Bootstrap(draws: 2000, key: key).resample(clusters: Array(0..<400), mean(values))
    let interval = try #require(found.interval(of: 0).interval)
    let center = values.reduce(0, +) / 400
    let variance = values.reduce(0) { $0 + ($1 - center) * ($1 - center) } / 399
    let reach = 1.96 * (variance / 400).squareRoot()
    #expect(abs(interval.lower - (center - reach)) < 0.1 * reach)
    #expect(abs(interval.upper - (center + reach)) < 0.1 * reach)
  }

  @Test func manyPicturesOfAPatientSayLittleMoreThanOne() throws {
    // Five equal samples of each of 60 patients: √5 times the width that 300 patients would have.
    let patients = normals(key.split("patients"), 60)
    let values = (0..<300).map { patients[$0 / 5] }
    let bootstrap = Bootstrap(draws: 500, key: key)
    func width(_ clusters: [Int]) throws -> Double {
      let interval = try #require(
        bootstrap.resample(clusters: clusters, mean(values)).interval(of: 0).interval)
      return interval.upper - interval.lower
    }
    let ratio = try width((0..<300).map { $0 / 5 }) / width(Array(0..<300))
    #expect(ratio > 1.9 && ratio < 2.7)
  }

  @Test func whatIsUndefinedTooOftenHasNoInterval() {
    // One positive of 20: absent from a third of the draws.
    let ranked = RankedScores(scores: (0..<20).map(Double.init), isPositive: (0..<20).map { $0 == 10 })
    let found = Bootstrap(draws: 200, key: key).resample(clusters: Array(0..<20)) { weights in
      [ranked.auc(weights: weights)]
    }
    let missing = found.draws.count { $0[0] == nil }
    #expect(missing > 40)
    let (interval, note) = found.interval(of: 0)
    #expect(interval == nil && note == "undefined in \(missing) of 200 draws of patients: no interval")
  }

  @Test func whatIsUndefinedRarelyHasOne() {
    let ranked = RankedScores(
      scores: (0..<20).map { Double($0 % 7) }, isPositive: (0..<20).map { $0 % 5 == 0 })
    let found = Bootstrap(draws: 1000, key: key).resample(clusters: Array(0..<20)) { weights in
      [ranked.auc(weights: weights)]
    }
    let missing = found.draws.count { $0[0] == nil }
    #expect(missing > 0 && missing <= 50)
    #expect(found.interval(of: 0).interval != nil)
  }

  @Test func noDrawTellsAnythingOfOnePatientOrOfEqualNumbers() {
    let bootstrap = Bootstrap(draws: 20, key: key)
    let one = bootstrap.resample(clusters: [3, 3, 3], mean([1, 2, 3])).interval(of: 0)
    #expect(one.interval == nil && one.note == "one patient only: no interval")
    let equal = bootstrap.resample(clusters: [0, 1, 2, 3, 4], mean([2, 2, 2, 2, 2])).interval(of: 0)
    #expect(equal.interval == nil && equal.note == "the same in every draw of patients: no interval")
  }

  @Test func fewerThanFivePatientsHaveNoInterval() {
    let bootstrap = Bootstrap(draws: 50, key: key)
    let four = bootstrap.resample(clusters: [0, 1, 2, 3, 3], mean([1, 2, 3, 5, 8])).interval(of: 0)
    #expect(four.interval == nil && four.note == "4 patients only: no interval")
  }

  @Test(arguments: [(5, true), (19, true), (20, false)])
  func fewerThanTwentyPatientsHaveARoughOne(_ count: Int, _ isRough: Bool) {
    let values = normals(key.split("few"), count)
    let found = Bootstrap(draws: 200, key: key).resample(clusters: Array(0..<count), mean(values))
    let (interval, note) = found.interval(of: 0)
    #expect(interval != nil && note == (isRough ? "few patients: the interval is rough" : nil))
  }

  @Test func aReflectedIntervalEndsAtTheLargestValue() throws {
    // Draws leave out what is rare, which makes this share smaller than it is.
    let seen = Bootstrap(draws: 300, key: key).resample(clusters: Array(0..<60)) { weights in
      [Double(weights.count { $0 > 0 }) / 60 - 0.05]
    }
    #expect(seen.whole == [0.95])
    let (free, note) = seen.interval(of: 0)
    #expect(try #require(free).upper > 1.1 && note == "resampling alone shifts it: the interval is rough")
    let capped = try #require(seen.interval(of: 0, largest: 1).interval)
    #expect(capped == Interval(try #require(free).lower, 1))
  }

  @Test func aNumberThatResamplingShiftsGetsAReflectedInterval() throws {
    // The distance of a mean from 0 can only grow where it is 0.
    let values = (0..<100).map { $0 % 2 == 0 ? 1.0 : -1 }
    let average = mean(values)
    let found = Bootstrap(draws: 300, key: key).resample(clusters: Array(0..<100)) { weights in
      average(weights).map { $0.map(abs) }
    }
    let (interval, note) = found.interval(of: 0)
    #expect(try #require(interval) == Interval(0, 0))
    #expect(note == "resampling alone shifts it: the interval is rough")
  }
}

@Suite struct NormalDistributionTests {
  @Test func quantilesAreTheTables() {
    #expect(abs(NormalDistribution.quantile(0.975) - 1.959963984540054) < 1e-12)
    #expect(abs(NormalDistribution.quantile(0.001) + 3.090232306167814) < 1e-12)
    #expect(NormalDistribution.quantile(0.5).magnitude < 1e-15)
    #expect(abs(NormalDistribution.quantile(1e-12) + 7.034483825) < 1e-8)
    #expect(NormalDistribution.quantile(0) == -.infinity && NormalDistribution.quantile(1) == .infinity)
    #expect(abs(NormalDistribution.cumulative(1) - 0.841344746068543) < 1e-14)
  }

  @Test(arguments: [(1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (10, 2.22814), (30, 2.04227)])
  func studentsBoundsAreTheTables(_ count: Int, _ bound: Double) {
    let tolerance = count == 3 ? 2e-3 : count == 5 ? 2e-4 : 1e-5
    #expect(abs(NormalDistribution.studentBound(degreesOfFreedom: count) / bound - 1) < tolerance)
  }
}
