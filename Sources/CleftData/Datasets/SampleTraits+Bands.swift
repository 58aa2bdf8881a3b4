extension SampleTraits {
  /// Traits as columns of names, from which subgroups are made: sex, age, view, then the others by name.
  ///
  /// Ages are cut into bands of twenty years. Other columns of numbers with more than 12 different ones are cut at their
  /// quartiles, each band named by its least and its largest number. Of a column with more than 12 different words the 11
  /// most frequent stay, and the rest become `other`. A trait that no sample has is left out.
  /// - Returns: for each trait a value for each sample, nil where it is unknown.
  public static func bands(_ traits: [SampleTraits]) -> [(name: String, values: [String?])] {
    var columns: [(name: String, values: [String?])] = [
      ("sex", frequent(traits.map(\.sex))), ("age", traits.map { $0.ageYears.map(ageBand) }),
      ("view", frequent(traits.map(\.view))),
    ]
    for name in Set(traits.flatMap(\.others.keys)).sorted() {
      let cells = traits.map { $0.others[name] }
      columns.append((name, quartiles(cells) ?? frequent(cells)))
    }
    return columns.filter { $0.values.contains { $0 != nil } }
  }

  /// Different values that a column may have before it is cut or shortened.
  private static let mostValues = 12
  /// Beyond this whole numbers have no value of their own: such cells are names.
  private static let largest = 0x1p53

  private static func ageBand(_ years: Double) -> String {
    switch years {
    case ..<18: "0–17"
    case ..<40: "18–39"
    case ..<60: "40–59"
    case ..<80: "60–79"
    default: "80+"
    }
  }

  /// Numbers as bands between quartiles; nil if there are words, or few enough different numbers to stay as they are.
  private static func quartiles(_ cells: [String?]) -> [String?]? {
    let numbers = cells.map { $0.flatMap { Double($0) } }
    let sorted = numbers.compactMap { $0 }.sorted()
    guard sorted.count == cells.count(where: { $0 != nil }), sorted.allSatisfy({ abs($0) <= largest }),
      Set(sorted).count > mostValues
    else { return nil }
    // A number belongs to the band of the last quartile that is not above it, so that equal ones stay together.
    let cuts = (1...3).map { sorted[sorted.count * $0 / 4] }
    let bands = numbers.map { number in number.map { number in cuts.count { $0 <= number } } }
    var ends: [Int: ClosedRange<Double>] = [:]
    for (number, band) in zip(numbers, bands) {
      guard let number, let band else { continue }
      let old = ends[band] ?? number...number
      ends[band] = min(old.lowerBound, number)...max(old.upperBound, number)
    }
    let dash = (sorted.first ?? 0) < 0 ? " to " : "–"
    let names = ends.mapValues { range in
      range.lowerBound == range.upperBound
        ? text(range.lowerBound) : text(range.lowerBound) + dash + text(range.upperBound)
    }
    return bands.map { $0.flatMap { names[$0] } }
  }

  /// A number so that no other one is written alike: whole ones without a point.
  private static func text(_ number: Double) -> String {
    Int(exactly: number).map(String.init) ?? "\(number)"
  }

  /// Words as they are, or the most frequent of them.
  private static func frequent(_ cells: [String?]) -> [String?] {
    var counts: [String: Int] = [:]
    for case let cell? in cells { counts[cell, default: 0] += 1 }
    guard counts.count > mostValues else { return cells }
    let order = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let kept = Set(order.prefix(mostValues - 1).map(\.key))
    return cells.map { cell in cell.map { kept.contains($0) ? $0 : "other" } }
  }
}
