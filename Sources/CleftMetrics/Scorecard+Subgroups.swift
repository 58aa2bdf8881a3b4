import CleftTensor
import Foundation

extension Scorecard {
  /// Samples a subgroup must have for its numbers to be computed.
  private static let leastSubgroup = 10
  /// Numbers of the catalogue that subgroups have.
  private static let subgroupNames = ["accuracy", "balanced_accuracy", "auc", "average_precision"]

  /// The main numbers of the samples with each value of each trait, and what was left out.
  ///
  /// Patients are drawn within each subgroup. A trait with one value says nothing and has no cards; a subgroup of fewer than
  /// ten samples has a card without numbers. Where a trait is known of some only, the others are `unknown`.
  static func subgroups(
    _ test: PredictionTable, traits: [(name: String, values: [String?])], bootstrap: Bootstrap?
  ) -> (cards: [SubgroupCard], warnings: [String]) {
    var (cards, warnings): ([SubgroupCard], [String]) = ([], [])
    for (trait, values) in traits {
      precondition(
        values.count == test.count, "subgroups: \(values.count) values of \(trait) for \(test.count) samples")
      if values.allSatisfy({ $0 == nil }) { continue }
      let groups = Dictionary(grouping: values.indices) { values[$0] ?? "unknown" }
      if groups.count < 2 { continue }
      var small: [String] = []
      for value in order(groups.keys, knowsUnknown: values.contains("unknown")) {
        let rows = groups[value] ?? []
        let isLarge = rows.count >= leastSubgroup
        let own = bootstrap.map {
          Bootstrap(draws: $0.draws, key: $0.key.split(name: trait).split(name: value))
        }
        cards.append(
          SubgroupCard(
            trait: trait, value: value, count: rows.count,
            metrics: isLarge ? numbers(test.rows(rows), bootstrap: own) : []))
        if !isLarge { small.append("\(value) (\(rows.count))") }
      }
      if !small.isEmpty { warnings.append(tooSmall(trait, small)) }
    }
    return (cards, warnings)
  }

  /// The main numbers of some of the samples.
  private static func numbers(_ table: PredictionTable, bootstrap: Bootstrap?) -> [MetricValue] {
    let entries = MetricCatalog.entries(for: table).filter { subgroupNames.contains($0.name) }
    var list = MeasurementList()
    _ = list.add(.withMeans(entries, ScoredTable(table)))
    return list.take(clusters: table.clusters, bootstrap: bootstrap)
  }

  private static func tooSmall(_ trait: String, _ small: [String]) -> String {
    let listed = small.prefix(5).joined(separator: ", ")
    let more = small.count > 5 ? " and \(small.count - 5) more" : ""
    return "\(trait): fewer than \(leastSubgroup) samples, so no numbers, of \(listed)\(more)"
  }

  /// Values in the order of people: `<40` before `40–59` before `100–120`, what is unknown last.
  private static func order(_ values: some Collection<String>, knowsUnknown: Bool) -> [String] {
    values.sorted { one, other in
      if !knowsUnknown, (one == "unknown") != (other == "unknown") { return other == "unknown" }
      let (first, second) = (bound(one), bound(other))
      if let first, let second, first != second { return first < second }
      return one < other
    }
  }

  /// The number a value starts with, just below it after `<`; nil if it starts otherwise.
  private static func bound(_ value: String) -> Double? {
    let isBelow = value.hasPrefix("<")
    let digits = value.drop { !$0.isWholeNumber && "<>≥≤ ".contains($0) }.prefix { $0.isWholeNumber }
    return Double(digits).map { isBelow ? $0 - 0.5 : $0 }
  }
}
