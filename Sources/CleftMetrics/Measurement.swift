/// Numbers that are computed together, from samples that count as often as their weights say.
struct Measurement: Sendable {
  /// What one of the numbers is called, and how to judge it.
  struct Item: Sendable {
    /// Names in files and for people.
    var name, title: String
    /// What guessing would give.
    var chance: Double?
    /// Why the number is undefined, should it be.
    var reason: String
    /// What to know of it when reading it.
    var note: String?
    /// The largest value it can have; nil where there is none.
    var largest: Double? = 1
  }

  /// Numbers of the catalogue about a table, one after the other.
  static func entries(_ entries: [MetricCatalog.Entry], _ scored: ScoredTable) -> Measurement {
    let reason = reason(scored.table)
    let drawn = entries.map { $0.drawn(from: scored) }
    return Measurement(
      items: entries.map { Item($0, scored, reason: reason) },
      values: { weights in drawn.map { $0(weights) } })
  }

  /// The same where means over classes are among them: every class is gone through once for all of these.
  static func withMeans(_ entries: [MetricCatalog.Entry], _ scored: ScoredTable) -> Measurement {
    let reason = reason(scored.table)
    let numbers = ClassNumbers(scored, choices: nil)
    let drawn = entries.map { $0.drawn(from: scored) }
    let places = entries.map { numbers.meanNames.firstIndex(of: $0.name) }
    return Measurement(items: entries.map { Item($0, scored, reason: reason) }) { weights in
      let means = numbers.measurement.values(weights)
      return zip(places, drawn).map { place, drawn in place.map { means[$0] } ?? drawn(weights) }
    }
  }

  /// Why a number of a table is undefined, should it be.
  static func reason(_ table: PredictionTable) -> String {
    if table.count == 0 { return "no samples" }
    return table.logits.contains { !$0.isFinite } ? "a score is no number" : "one class only"
  }

  /// The numbers, in the order of the values.
  let items: [Item]
  /// The values; without weights every sample counts once.
  let values: @Sendable (_ weights: [Double]?) -> [Double?]
}

extension Measurement.Item {
  /// What a number of the catalogue is called for a table.
  init(_ entry: MetricCatalog.Entry, _ scored: ScoredTable, reason: String) {
    let table = scored.table
    let classes = entry.applies(to: table) ? entry.ofClasses?(scored, nil) ?? [] : []
    let defined = classes.count { $0 != nil }
    let share = defined < classes.count ? "over \(defined) of \(classes.count) classes" : nil
    self.init(
      name: entry.name, title: entry.title(for: table), chance: entry.chance(table), reason: reason,
      note: Self.joined([entry.note(table), share]), largest: entry.largest(table))
  }

  /// The notes that there are, as one.
  static func joined(_ notes: [String?]) -> String? {
    let known = notes.compactMap { $0 }
    return known.isEmpty ? nil : known.joined(separator: "; ")
  }
}

/// Measurements of the same samples, so that all are taken on the same draws of patients.
struct MeasurementList {
  private var measurements: [Measurement] = []
  private var count = 0

  /// Adds a measurement; returns where its numbers will stand.
  mutating func add(_ measurement: Measurement) -> Range<Int> {
    measurements.append(measurement)
    defer { count += measurement.items.count }
    return count..<count + measurement.items.count
  }

  /// All numbers in the order added, with intervals if there is a bootstrap.
  func take(clusters: [Int], bootstrap: Bootstrap?) -> [MetricValue] {
    var results = measurements.flatMap { measurement in
      zip(measurement.items, measurement.values(nil)).map { item, value in
        // What is no number is undefined.
        let value = value.flatMap { $0.isFinite ? $0 : nil }
        return MetricValue(
          name: item.name, title: item.title, value: value, chance: item.chance,
          note: value == nil ? item.reason : item.note)
      }
    }
    guard let bootstrap, !clusters.isEmpty else { return results }
    let (all, items) = (measurements, measurements.flatMap(\.items))
    let resampled = bootstrap.resample(clusters: clusters) { weights in all.flatMap { $0.values(weights) } }
    for index in results.indices where results[index].value != nil {
      let (interval, note) = resampled.interval(of: index, largest: items[index].largest)
      results[index].interval = interval
      results[index].note = Measurement.Item.joined([items[index].note, note])
    }
    return results
  }
}
