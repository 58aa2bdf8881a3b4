import CleftFormats

/// CheXpert-5x200 as GLoRIA's authors describe it: frontal pictures with one of five findings and no other.
///
/// Their draw had no seed, so that the pictures are others than in the distributed file.
/// - Source: Huang et al. 2021, ICCV, §4.1; `cleft.md` §2.2.8.
enum CheXpertSplit {
  /// The classes in the order in which they follow one another in the file.
  private static let classes: [Finding] = [
    .atelectasis, .cardiomegaly, .consolidation, .edema, .pleuralEffusion,
  ]
  /// Findings that must be absent beside those of the other classes; `No Finding` is not asked.
  private static let others: [Finding] = [
    .enlargedCardiomediastinum, .lungLesion, .lungOpacity, .pneumonia, .pneumothorax, .pleuralOther,
    .fracture,
    .supportDevices,
  ]

  @Sendable
  static func plan(_ request: SplitRequest) throws -> (files: [SplitFile], notes: [String]) {
    let perClass = request.perClass ?? 200
    guard perClass > 0 else {
      throw DataError.badRequest(
        Problem("chexpert-5x200", found: "\(perClass) pictures a class", expected: "at least 1"))
    }
    let table = try CSVTable(request.source)
    let path = try table.column("Path")
    let candidates = try candidates(table)
    let counts = zip(classes, candidates).map { ($0.rawValue, $1.count) }
    guard candidates.allSatisfy({ $0.count >= perClass }) else {
      throw DataError.badData(
        Problem(
          request.source,
          found: "only " + counts.map { "\($1) \($0)" }.joined(separator: ", ")
            + " pictures with one finding",
          expected: "\(perClass) of each",
          hint: "Pass the whole train.csv, or ask for fewer pictures a class."))
    }
    let rows = candidates.flatMap { request.drawn($0, count: perClass) }.map { table.rows[$0] }
    let file = SplitFile(
      name: "chexpert_5x200.csv",
      rule:
        "frontal pictures with this finding and none of the other four nor of eight more; \(perClass) a class"
        + " by NumPy's permutation under seed \(request.seed), out of "
        + counts.map { "\($1) \($0)" }.joined(separator: ", "),
      counts: classes.map { ($0.rawValue, perClass) }, ids: rows.map { $0[path] },
      content: .table(columns: table.columns, rows: rows))
    return ([file], [])
  }

  /// Rows that may stand for each class.
  private static func candidates(_ table: CSVTable) throws -> [[Int]] {
    let view = try table.column("Frontal/Lateral")
    let asked = classes + others
    let columns = try asked.map { try table.column($0.rawValue) }
    var candidates = Array(repeating: [Int](), count: classes.count)
    for (place, row) in table.rows.enumerated() where row[view] == "Frontal" {
      var present: [Int] = []
      var isClear = true
      for (index, column) in columns.enumerated() {
        switch FindingState(cell: row[column]) {
        case .positive: present.append(index)
        case .uncertain: isClear = false
        case .negative, .notMentioned: break
        case nil:
          throw RowFaults.Fault.label(asked[index].rawValue, row[column]).error(
            "\(table.path):\(table.lines[place])")
        }
      }
      if isClear, present.count == 1, present[0] < classes.count { candidates[present[0]].append(place) }
    }
    return candidates
  }
}
