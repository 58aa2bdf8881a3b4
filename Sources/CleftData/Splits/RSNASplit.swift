import CleftFormats

/// RSNA's balanced tables: patients with and without pneumonia, 70 % to train and 30 % to test with, as many of the one
/// as of the other.
enum RSNASplit {
  private static let trainFraction = 0.7

  @Sendable
  static func plan(_ request: SplitRequest) throws -> (files: [SplitFile], notes: [String]) {
    try request.requireNoPerClass("rsna")
    let groups = try patients(request.source).map { request.drawn($0, count: $0.count) }
    let cuts = groups.map { Int((trainFraction * Double($0.count)).rounded(.toNearestOrEven)) }
    let train = zip(groups, cuts).map { Array($0.prefix($1)) }
    let test = zip(groups, cuts).map { Array($0.dropFirst($1)) }
    let parts = [("train", "first 70 %", train), ("test", "last 30 %", test)]
    var files: [SplitFile] = []
    for (name, share, patients) in parts {
      let size = min(patients[0].count, patients[1].count)
      guard size > 0 else {
        throw DataError.badData(
          Problem(
            request.source,
            found: "\(groups[0].count) patients without and \(groups[1].count) with pneumonia",
            expected: "enough of both for two tables"))
      }
      let ids = patients.flatMap { $0.prefix(size) }
      files.append(
        SplitFile(
          name: "stage_2_\(name)_balance.csv",
          rule:
            "\(share) of \(groups[0].count) patients without and of \(groups[1].count) with pneumonia, each in"
            + " NumPy's permutation under seed \(request.seed); then the larger group cut to the smaller",
          counts: [("no finding", size), ("pneumonia", size)], ids: ids,
          content: .table(
            columns: ["patientId", "Target"],
            rows: ids.enumerated().map { [$1, $0 < size ? "0" : "1"] })))
    }
    return (files, [])
  }

  /// Patients without and with pneumonia, in the order in which the table names them first.
  private static func patients(_ source: String) throws -> [[String]] {
    let table = try CSVTable(source)
    let patient = try table.column("patientId")
    let target = try table.column("Target")
    var targets: [String: Bool] = [:]
    var groups: [[String]] = [[], []]
    for (row, line) in zip(table.rows, table.lines) {
      let state = FindingState(cell: row[target])
      guard state == .positive || state == .negative else {
        throw RowFaults.Fault.label("Target", row[target], expected: "0 or 1").error("\(source):\(line)")
      }
      let isPositive = state == .positive
      guard let known = targets[row[patient]] else {
        targets[row[patient]] = isPositive
        groups[isPositive ? 1 : 0].append(row[patient])
        continue
      }
      guard known == isPositive else {
        throw DataError.badData(
          Problem(
            "\(source):\(line)", found: "patient \(oneLine(row[patient])) with another Target than before",
            expected: "one a patient", hint: "Fix the rows."))
      }
    }
    return groups
  }
}
