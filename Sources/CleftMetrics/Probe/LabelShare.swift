import CleftTensor

/// Patients by the class that is rarest among what they have, each class's in random order.
struct PatientStrata: Sendable {
  /// Patients of each class, and behind them those with none of the classes.
  let patients: [[Int]]

  /// Sorts the patients of some rows; whom each row is of stands in `patients`, by row.
  init(_ targets: ProbeTargets, patients: [Int], rows: [Int], key: RandomKey) {
    var classes: [Int: Set<Int>] = [:]
    for row in rows { classes[patients[row], default: []].formUnion(targets.labels[row]) }
    var counts = [Int](repeating: 0, count: targets.classCount)
    for own in classes.values { for label in own { counts[label] += 1 } }
    var strata = [[Int]](repeating: [], count: targets.classCount + 1)
    for patient in classes.keys.sorted() {
      let rarest = classes[patient]?.min { (counts[$0], $0) < (counts[$1], $1) }
      strata[rarest ?? targets.classCount].append(patient)
    }
    for index in strata.indices {
      var generator = key.split("stratum", index).generator
      strata[index].shuffle(using: &generator)
    }
    self.patients = strata
  }
}

/// Draws parts of a training set: shares of its patients, whole, or some pictures of each class.
///
/// Under one key a smaller part is within every larger one of its kind, and a patient's pictures come together in a share.
public struct LabelShare: Sendable {
  /// How large a part is.
  public enum Size: Hashable, Sendable {
    /// A share of the patients, above 0 up to 1.
    case fraction(Double)
    /// Pictures of each class; where each class is a question of its own, as many without any class too.
    case shots(Int)
  }

  private let rowsOfPatients: [Int: [Int]]
  private let strata: PatientStrata
  /// Rows with each class, and behind them rows without any, in the order in which they are drawn: of as many patients as
  /// there are before a second one of any.
  private let orders: [[Int]]

  /// Sets the order in which rows are drawn.
  ///
  /// - Parameters:
  ///   - targets: what is true of each row.
  ///   - patients: whom each row is of.
  public init(_ targets: ProbeTargets, patients: [Int], key: RandomKey) {
    precondition(targets.count == patients.count, "share: \(targets.count) rows of \(patients.count)")
    rowsOfPatients = Dictionary(grouping: patients.indices) { patients[$0] }
    strata = PatientStrata(
      targets, patients: patients, rows: Array(patients.indices), key: key.split("patients"))
    let hasNone = targets.question == .each
    orders = (0..<targets.classCount + (hasNone ? 1 : 0)).map { label in
      let rows = targets.labels.indices.filter { row in
        label < targets.classCount ? targets.labels[row].contains(label) : targets.labels[row].isEmpty
      }
      return Self.order(rows, patients, key.split("pictures", label))
    }
  }

  /// Each patient's first row in random order, then each one's second row, and so on.
  private static func order(_ rows: [Int], _ patients: [Int], _ key: RandomKey) -> [Int] {
    var generator = key.generator
    var seen: [Int: Int] = [:]
    let shuffled = rows.shuffled(using: &generator)
    let rounds = shuffled.map { row in
      seen[patients[row], default: 0] += 1
      return seen[patients[row]] ?? 1
    }
    return shuffled.indices.sorted { (rounds[$0], $0) < (rounds[$1], $1) }.map { shuffled[$0] }
  }

  /// The rows of a part, ascending.
  ///
  /// Of each class a share has as many patients as it is large, but at least one.
  public func rows(_ size: Size) -> [Int] {
    switch size {
    case .fraction(let fraction):
      return strata.patients.flatMap { own in
        let wanted = Int((fraction * Double(own.count)).rounded())
        return own.prefix(max(1, wanted)).flatMap { rowsOfPatients[$0] ?? [] }
      }.sorted()
    case .shots(let count):
      return Set(orders.flatMap { $0.prefix(count) }).sorted()
    }
  }

  /// Classes that have fewer rows than so many shots ask for.
  public func classesShort(of shots: Int) -> [Int] { orders.indices.filter { orders[$0].count < shots } }
}
