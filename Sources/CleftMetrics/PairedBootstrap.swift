/// Two tables of predictions for the same samples, on the same draws of patients.
public enum PairedBootstrap {
  /// Differences `one - other` of all numbers that suit the tables.
  ///
  /// The interval holds the middle 95 % of the draws' differences. With `b` draws in which the difference is defined,
  /// `p = min(1, 2 · (1 + min(draws ≤ 0, draws ≥ 0)) / (b + 1))`: twice the share of draws on the rarer side of 0, counted
  /// so that it is never 0. There is neither with fewer than five patients, nor if more than 5 % of the draws leave the
  /// difference undefined.
  ///
  /// - Parameter bootstrap: draws for interval and p; nil for neither.
  /// - Source: Efron and Tibshirani 1993, §15.4; the added one: Davison and Hinkley 1997, §4.2.1.
  public static func differences(
    _ one: PredictionTable, _ other: PredictionTable, _ bootstrap: Bootstrap?
  ) -> [MetricDifference] {
    precondition(
      one.labels == other.labels && one.clusters == other.clusters && one.unknown == other.unknown
        && one.question == other.question && one.classCount == other.classCount,
      "paired bootstrap: \(one.count) and \(other.count) samples that are not the same ones")
    let entries = MetricCatalog.entries(for: one)
    let (here, there) = (
      Measurement.withMeans(entries, ScoredTable(one)), Measurement.withMeans(entries, ScoredTable(other))
    )
    let whole = Array(zip(here.values(nil), there.values(nil)))
    let resampled = bootstrap?.resample(clusters: one.clusters, leavingOut: false) { weights in
      zip(here.values(weights), there.values(weights)).map { value, other in
        guard let value, let other, (value - other).isFinite else { return nil }
        return value - other
      }
    }
    let draws = resampled?.draws ?? []
    return entries.indices.map { index in
      let (value, other) = whole[index]
      let found = value == nil || other == nil ? [] : draws.compactMap { $0[index] }.sorted()
      // The same limits as for an interval of one number.
      let isEnough =
        (resampled?.clusterCount ?? 0) >= ResampledValues.leastClusters && !found.isEmpty
        && found.count * 20 >= draws.count * 19
      return MetricDifference(
        name: entries[index].name, title: entries[index].title(for: one), value: value, other: other,
        interval: isEnough
          ? Interval(ResampledValues.quantile(found, 0.025), ResampledValues.quantile(found, 0.975)) : nil,
        p: isEnough ? probability(found) : nil)
    }
  }

  /// Twice the share of draws on the rarer side of 0.
  private static func probability(_ found: [Double]) -> Double {
    let rarer = min(found.count { $0 <= 0 }, found.count { $0 >= 0 })
    return min(1, 2 * Double(1 + rarer) / Double(found.count + 1))
  }
}
