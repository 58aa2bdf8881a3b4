import CleftFormats
import Foundation

/// EMBED's tables by patient, its lists of densities, and the balanced lists.
enum EMBEDSplit {
  /// One 2D picture with its labels.
  private struct Picture {
    let path: String
    /// BI-RADS number and density, 1 to 5; nil where the findings do not say.
    let birads, density: Int?
  }

  /// Shares of the patients; the rest is for the test.
  private static let shares: [(Split, Double)] = [(.train, 0.7), (.valid, 0.1)]
  private static let densityNames = ["density 1", "density 2", "density 3", "density 4", "density 5 (male)"]

  @Sendable
  static func plan(_ request: SplitRequest) throws -> (files: [SplitFile], notes: [String]) {
    try request.requireNoPerClass("embed")
    let table = try CSVTable(request.source)
    let splits = try rowsBySplit(table, request)
    let reader = try PictureReader(table, source: request.source)
    var (files, notes): ([SplitFile], [String]) = ([], reader.notes)
    var pictures: [Split: [Picture]] = [:]
    for split in Split.allCases {
      let rows = splits[split] ?? []
      pictures[split] = try rows.compactMap { try reader.picture(table.rows[$0]) }
      files.append(try tableFile(split, rows, table, request))
    }
    for split in Split.allCases { files.append(densityFile(split, pictures[split] ?? [])) }
    for list in EMBEDListKind.balanced {
      guard let perClass = list.perClass else { continue }
      let file = listFile(list, perClass, pictures[list.split] ?? [], request)
      files.append(file)
      let short = file.counts.filter { $0.count < perClass }.map { "\($0.count) \($0.className)" }
      if !short.isEmpty {
        notes.append("\(list.name): fewer than \(perClass) pictures: \(short.joined(separator: ", "))")
      }
    }
    return (files, notes)
  }

  /// Rows of each split, in table order: a patient's rows stay together.
  private static func rowsBySplit(_ table: CSVTable, _ request: SplitRequest) throws -> [Split: [Int]] {
    let column = try table.column(EMBEDPictureColumns.patient)
    var known: Set<String> = []
    var patients: [String] = []
    for (place, row) in table.rows.enumerated() {
      guard let patient = EMBEDCell.text(row[column]).map(EMBEDCell.code) else {
        throw DataError.badData(
          Problem(
            "\(table.path):\(table.lines[place])",
            found: "no patient in column '\(EMBEDPictureColumns.patient)'",
            expected: "a number: splits are made by patient", hint: "Fill in or remove the row."))
      }
      if known.insert(patient).inserted { patients.append(patient) }
    }
    guard !patients.isEmpty else {
      throw DataError.badData(
        Problem(table.path, found: "no row below the column names", expected: "pictures"))
    }
    let order = request.drawn(patients, count: patients.count)
    var splitOf: [String: Split] = [:]
    var start = 0
    for (split, share) in shares {
      let count = Int((share * Double(order.count)).rounded(.toNearestOrEven))
      for patient in order[start..<start + count] { splitOf[patient] = split }
      start += count
    }
    return Dictionary(grouping: table.rows.indices) { row in
      splitOf[EMBEDCell.code(table.rows[row][column])] ?? .test
    }
  }

  private static func tableFile(
    _ split: Split, _ rows: [Int], _ table: CSVTable, _ request: SplitRequest
  ) throws(FormatError) -> SplitFile {
    let columns = try EMBEDPictureColumns(table)
    let share = [Split.train: "first 70 %", .valid: "next 10 %", .test: "last 20 %"][split] ?? ""
    let flat = rows.count { columns.isFlat(table.rows[$0]) }
    return SplitFile(
      name: EMBED.metadataTable(split),
      rule: "rows of the \(share) of the patients in NumPy's permutation under seed \(request.seed)",
      counts: [("2D", flat), ("other", rows.count - flat)], ids: rows.map { table.rows[$0][columns.path] },
      content: .table(columns: table.columns, rows: rows.map { table.rows[$0] }))
  }

  private static func densityFile(_ split: Split, _ pictures: [Picture]) -> SplitFile {
    let labeled = pictures.filter { $0.density != nil }
    let labels = labeled.map { $0.density ?? 0 }
    return SplitFile(
      name: EMBEDListKind.densities(split).name, rule: "2D pictures of the split with a density, 1 to 5",
      counts: densityNames.enumerated().map { index, name in (name, labels.count { $0 == index + 1 }) },
      ids: labeled.map(\.path), content: .labels(labels))
  }

  private static func listFile(
    _ list: EMBEDListKind, _ perClass: Int, _ pictures: [Picture], _ request: SplitRequest
  ) -> SplitFile {
    // Without the one or the other a picture has no caption, and is no use.
    let usable = pictures.filter { $0.birads != nil && $0.density != nil }
    let labels = list.firstLabel..<list.firstLabel + list.classCount
    let names = labels.map { list.isDensity ? densityNames[$0 - 1] : "BI-RADS \($0)" }
    let drawn = labels.map { label in
      request.drawn(
        usable.filter { (list.isDensity ? $0.density : $0.birads) == label }, count: perClass)
    }
    return SplitFile(
      name: list.name,
      rule:
        "up to \(perClass) a class of the \(list.split.rawValue) split's 2D pictures with BI-RADS and density,"
        + " by NumPy's permutation under seed \(request.seed)",
      counts: zip(names, drawn).map { ($0, $1.count) }, ids: drawn.flatMap { $0.map(\.path) },
      content: .labels(zip(labels, drawn).flatMap { label, part in part.map { _ in label } }))
  }

  /// Looks up labels of pictures.
  private struct PictureReader {
    let notes: [String]
    private let findings: EMBEDFindings
    private let columns: EMBEDPictureColumns
    private let scores: EMBEDScoreColumns

    init(_ table: CSVTable, source: String) throws {
      columns = try EMBEDPictureColumns(table)
      let folder = (source as NSString).deletingLastPathComponent
      let names = ["clinical_reduced", "clinical"].map(EMBED.tableName)
      let files = names.map { (folder.isEmpty ? "." : folder) + "/" + $0 }
      guard let file = files.first(where: FileSystem.exists) else {
        throw DataError.missing(
          Problem(
            files[0], found: "no such file, nor \(names[1])", expected: "the findings beside the metadata",
            hint: "Labels come from there."))
      }
      findings = try EMBEDFindings(file)
      scores = try EMBEDScoreColumns(findings.table)
      notes = ["labels are those of \(file)"]
    }

    /// The picture of a row; nil if it is not 2D.
    func picture(_ row: [String]) throws(DataError) -> Picture? {
      guard columns.isFlat(row) else { return nil }
      let path = row[columns.path]
      guard
        let place = findings.row(
          accession: row[columns.accession], laterality: row[columns.laterality])?.place
      else { return Picture(path: path, birads: nil, density: nil) }
      let annotation = findings.table.rows[place]
      do throws(RowFaults.Fault) {
        return Picture(path: path, birads: scores.birads(annotation), density: try scores.density(annotation))
      } catch { throw error.error(findings.origin(place)) }
    }
  }
}
