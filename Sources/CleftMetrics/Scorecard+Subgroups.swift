import CleftTensor
import Foundation

extension Scorecard {
  /// Samples a subgroup must have for its numbers to be computed.
  private static let leastSubgroup = 10
  /// Traits that are looked for in every set; others somebody asked for.
  private static let usualTraits: Set = ["sex", "age", "view"]
  /// Numbers of the catalogue that subgroups have.
  private static let subgroupNames = ["accuracy", "balanced_accuracy", "auc", "average_precision"]

  /// The main numbers of the samples with each value of each trait, and what was left out.
  ///
  /// Patients are drawn within each subgroup. A trait with one value has no cards, and a warning unless it is looked for in
  /// every set; a subgroup of fewer than ten samples has a card without numbers. Where a trait is known of some only,
  /// the others are `unknown`.
  static func subgroups(
    _ test: PredictionTable, traits: [(name: String, values: [String?])], bootstrap: Bootstrap?
  ) -> (cards: [SubgroupCard], warnings: [String]) {
    var (cards, warnings): ([SubgroupCard], [String]) = ([], [])
    for (trait, values) in traits {
      precondition(
        values.count == test.count, "subgroups: \(values.count) values of \(trait) for \(test.count) samples")
      let groups = Dictionary(grouping: values.indices) { values[$0] ?? "unknown" }
      if groups.count < 2 {
        if let first = values.first, !usualTraits.contains(trait) { warnings.append(constant(trait, first)) }
        continue
      }
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

  private static func constant(_ trait: String, _ value: String?) -> String {
    (value.map { "\(trait): all samples have '\($0)'" } ?? "\(trait): no sample has a value")
      + ", so no subgroups"
  }

  private static func tooSmall(_ trait: String, _ small: [String]) -> String {
    let listed = small.prefix(5).joined(separator: ", ")
    let more = small.count > 5 ? " and \(small.count - 5) more" : ""
    return "\(trait): fewer than \(leastSubgroup) samples, so no numbers, of \(listed)\(more)"
  }

  /// Values in the order of people: `-25 to -14` before `<40` before `40–59` before `100–120`, then those without a number by
  /// name, what is unknown last.
  private static func order(_ values: some Collection<String>, knowsUnknown: Bool) -> [String] {
    values.map { value in
      let bound = bound(value)
      let isUnknown = value == "unknown" && !knowsUnknown
      return (
        place: isUnknown ? 2 : bound == nil ? 1 : 0, number: bound?.number ?? 0, side: bound?.side ?? 0,
        value: value
      )
    }.sorted { ($0.place, $0.number, $0.side, $0.value) < ($1.place, $1.number, $1.side, $1.value) }
      .map(\.value)
  }

  /// The number a value starts with, and whether it is about what is below (-1) or above (1) it; nil if it starts otherwise.
  private static func bound(_ value: String) -> (number: Double, side: Int)? {
    let signs = value.prefix { "<>≥≤= ".contains($0) }
    var rest = value[signs.endIndex...]
    let isNegative = rest.first == "-" || rest.first == "\u{2212}"
    if isNegative { rest.removeFirst() }
    let digits = rest.prefix { "0123456789".contains($0) }
    let behind = rest[digits.endIndex...]
    let decimals = behind.first == "." ? behind.dropFirst().prefix { "0123456789".contains($0) } : ""
    guard let number = Double(decimals.isEmpty ? "\(digits)" : "\(digits.isEmpty ? "0" : digits).\(decimals)")
    else { return nil }
    let side = signs.contains { "<≤".contains($0) } ? -1 : signs.contains(">") ? 1 : 0
    return (isNegative ? -number : number, side)
  }
}
