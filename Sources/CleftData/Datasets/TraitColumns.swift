import CleftFormats
import CleftImaging
import Foundation

/// Where the tables of a dataset say who is on a picture and how it was taken.
///
/// Columns are known by name, whatever their case and signs: `Sex`, `PATIENT_AGE`, `AP/PA`. None of them has to be there.
struct TraitColumns {
  /// A column of one of the tables.
  private struct Place: Equatable {
    let table, column: Int
  }

  /// Letters of the columns' names without `patient` in front; the first name that is there counts.
  private static let names = (
    sex: ["sex", "gender", "genderdesc"], age: ["age", "ageatstudy", "ageyears"],
    view: ["view", "viewposition", "projection", "appa"], direction: ["frontallateral"]
  )

  private let sex, age, view: Place?
  /// `Frontal` or `Lateral`: CheXpert's lateral pictures have nothing in `AP/PA`.
  private let direction: Place?
  private let groups: [(name: String, place: Place)]
  /// Columns of `--group_columns` that no row has said anything in.
  private var empty: [(name: String, place: Place)]
  private var rowCount = 0
  /// Further traits by their cells: samples with the same ones share them.
  private var known: [[String]: [String: String]] = [:]
  /// Cells of the age that are no age, and the first one with its row.
  private var strangeAges = 0, firstStrangeAge = ""
  private let isTest: Bool

  /// Looks the columns up.
  ///
  /// - Parameter tables: what `traits` gets a row of each of. Only test rows are asked for `--group_columns`.
  /// - Throws: `DataError.badData` with the nearest names for a column of `--group_columns` that no table has.
  init(_ tables: [CSVTable], _ request: DatasetRequest) throws(DataError) {
    func place(_ names: [String]) -> Place? {
      for name in names {
        for (table, columns) in tables.map(\.columns).enumerated() {
          let column = columns.firstIndex { Self.letters($0) == name }
          if let column { return Place(table: table, column: column) }
        }
      }
      return nil
    }
    (sex, age, direction) = (place(Self.names.sex), place(Self.names.age), place(Self.names.direction))
    view = place(Self.names.view) ?? direction
    isTest = request.split == .test
    var groups: [(name: String, place: Place)] = []
    for name in isTest ? request.groupColumns : [] {
      let places = tables.indices.lazy.compactMap { table in
        tables[table].columns.firstIndex(of: name).map { Place(table: table, column: $0) }
      }
      guard let first = places.first else { throw Self.noColumn(name, tables) }
      groups.append((name, first))
    }
    // Those make subgroups anyway.
    let known = [sex, age, view]
    self.groups = groups.filter { !known.contains($0.place) }
    empty = groups
  }

  private static func noColumn(_ name: String, _ tables: [CSVTable]) -> DataError {
    let near = nearestNames(to: name, among: tables.flatMap(\.columns)).map { oneLine($0) }
    return .badData(
      Problem(
        tables.map { "\($0.path):1" }.joined(separator: ", "),
        found: "no column '\(oneLine(name))' (--group_columns)",
        hint: "Nearest: \(near.joined(separator: ", "))."))
  }

  /// A column's name as it is looked for.
  private static func letters(_ name: String) -> String {
    let letters = name.lowercased().filter(\.isLetter)
    let rest = letters.dropFirst(letters.hasPrefix("patient") ? 7 : 0)
    return String(rest)
  }

  /// The traits in a row of each table.
  ///
  /// - Parameter origin: file and line, for messages.
  mutating func traits(_ rows: [[String]], origin: String) -> SampleTraits {
    func cell(_ place: Place?) -> String? {
      guard let place else { return nil }
      let cell = TableCell.trimmed(rows[place.table][place.column])
      return TableCell.isMissing(cell) ? nil : cell
    }
    rowCount += 1
    empty.removeAll { cell($0.place) != nil }
    let written = cell(age)
    let years = written.flatMap(DicomTraits.years)
    if let written, years == nil {
      if strangeAges == 0 { firstStrangeAge = "'\(oneLine(written))' in \(origin)" }
      strangeAges += 1
    }
    return SampleTraits(
      sex: cell(sex).map(SampleTraits.sex), ageYears: years, view: cell(view) ?? cell(direction),
      others: others(groups.map { cell($0.place) ?? "" }))
  }

  private mutating func others(_ cells: [String]) -> [String: String] {
    if cells.isEmpty { return [:] }
    if let others = known[cells] { return others }
    let pairs = zip(groups, cells).filter { !$1.isEmpty }.map { ($0.name, $1) }
    let others = Dictionary(pairs) { first, _ in first }
    known[cells] = others
    return others
  }

  /// What a run says about test rows.
  var notes: [String] {
    guard isTest, rowCount > 0 else { return [] }
    let ages = "\(strangeAges) ages cannot be read and count as unknown, the first \(firstStrangeAge)"
    return (strangeAges > 0 ? [ages] : [])
      + empty.map { "column '\(oneLine($0.name))' is empty: no subgroups" }
  }
}

extension SampleTraits {
  /// `F` and `M` however they are spelled; any other word stays as it is.
  static func sex(_ word: String) -> String {
    switch word.lowercased() {
    case "f", "female": "F"
    case "m", "male": "M"
    default: word
    }
  }
}
