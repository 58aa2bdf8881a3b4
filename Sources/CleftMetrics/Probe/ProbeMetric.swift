import CleftTensor

/// One number of several probes, each fitted to another draw of training samples, on the same test samples.
public struct ProbeMetric: Codable, Sendable, Equatable {
  /// Name in files, and for people.
  public let name, title: String
  /// The number of each draw; nil where undefined.
  public let values: [Double?]
  /// Their mean, the least and the largest; nil where one is undefined.
  public let mean, lowest, highest: Double?
  /// 95 % interval of the mean over resampled test patients, the same for all draws; nil where none was computed.
  public let interval: Interval?
  /// What guessing would give.
  public let chance: Double?
  /// Why it is undefined or has no interval, or what is odd about it.
  public let note: String?

  /// Numbers that are reported, those that matter most first.
  private static let names = ["accuracy", "balanced_accuracy", "auc", "average_precision"]

  /// Numbers of tables that differ in their scores alone.
  ///
  /// - Parameters:
  ///   - tables: what each draw's probe says of the test samples.
  ///   - hasProbabilities: whether scores can be taken at their word, so that they have a log-loss.
  ///   - bootstrap: draws of patients for intervals; nil for none.
  public static func of(
    _ tables: [PredictionTable], hasProbabilities: Bool, bootstrap: Bootstrap?
  ) -> [ProbeMetric] {
    guard let first = tables.first else { return [] }
    let wanted = names + (hasProbabilities ? ["log_loss"] : [])
    let entries = MetricCatalog.entries(for: first).filter { wanted.contains($0.name) }
    let measured = tables.map { Measurement.withMeans(entries, ScoredTable($0)) }
    let values = measured.map { $0.values(nil) }
    let resampled = bootstrap.map { bootstrap in
      bootstrap.resample(clusters: first.clusters) { weights in
        let values = measured.map { $0.values(weights) }
        return entries.indices.map { index in mean(values.map { $0[index] }) }
      }
    }
    return measured[0].items.enumerated().map { index, item in
      let own = values.map { $0[index] }
      let known = own.compactMap { $0 }
      let undefined = own.firstIndex { $0 == nil }.map { measured[$0].items[index].reason }
      let (interval, note) = resampled?.interval(of: index, largest: item.largest) ?? (nil, nil)
      return ProbeMetric(
        name: item.name, title: item.title, values: own, mean: mean(own),
        lowest: undefined == nil ? known.min() : nil, highest: undefined == nil ? known.max() : nil,
        interval: interval, chance: item.chance,
        note: undefined ?? Measurement.Item.joined([item.note, note]))
    }
  }

  private static func mean(_ values: [Double?]) -> Double? {
    let known = values.compactMap { $0 }
    return known.count < values.count || known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
  }
}
