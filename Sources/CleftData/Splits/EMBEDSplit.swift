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

  /// A balanced list.
  private struct Balanced {
    let split: Split
    let isDensity: Bool
    let perClass: Int
    var name: String {
      isDensity
        ? "\(split.rawValue)_4x\(perClass)_path2density.pickle"
        : "\(split.rawValue)_7x\(perClass)_path2label.pickle"
    }
  }

  private static let balanced = [
    Balanced(split: .test, isDensity: false, perClass: 200),
    Balanced(split: .test, isDensity: true, perClass: 500),
    Balanced(split: .train, isDensity: false, perClass: 550),
    Balanced(split: .train, isDensity: true, perClass: 1000),
  ]
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
    for list in balanced {
      let file = listFile(list, pictures[list.split] ?? [], request)
      files.append(file)
      let short = file.counts.filter { $0.count < list.perClass }.map { "\($0.count) \($0.className)" }
      if !short.isEmpty {
        notes.append("\(list.name): fewer than \(list.perClass) pictures: \(short.joined(separator: ", "))")
      }
    }
    return (files, notes)
  }

  /// Rows of each split, in table order: a patient's rows stay together.
  private static func rowsBySplit(_ table: CSVTable, _ request: SplitRequest) throws -> [Split: [Int]] {
    let column = try table.column("empi_anon")
    var known: Set<String> = []
    var patients: [String] = []
    for (place, row) in table.rows.enumerated() {
      guard let patient = EMBEDCell.text(row[column]).map(EMBEDCell.code) else {
        throw DataError.badData(
          Problem(
            "\(table.path):\(table.lines[place])", found: "no patient in column 'empi_anon'",
            expected: "a number: splits are made by patient", hint: "Fill in or remove the row."))
      }
      if known.insert(patient).inserted { patients.append(patient) }
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
    let path = try table.column("anon_dicom_path")
    let kind = try table.column("FinalImageType")
    let share = [Split.train: "first 70 %", .valid: "next 10 %", .test: "last 20 %"][split] ?? ""
    let flat = rows.count { table.rows[$0][kind] == "2D" }
    return SplitFile(
      name: "tables/EMBED_OpenData_metadata_reduced_\(split.rawValue).csv",
      rule: "rows of the \(share) of the patients in NumPy's permutation under seed \(request.seed)",
      counts: [("2D", flat), ("other", rows.count - flat)], ids: rows.map { table.rows[$0][path] },
      content: .table(columns: table.columns, rows: rows.map { table.rows[$0] }))
  }

  private static func densityFile(_ split: Split, _ pictures: [Picture]) -> SplitFile {
    let labeled = pictures.filter { $0.density != nil }
    let labels = labeled.map { $0.density ?? 0 }
    return SplitFile(
      name: "\(split.rawValue)_path2density.pickle", rule: "2D pictures of the split with a density, 1 to 5",
      counts: densityNames.enumerated().map { index, name in (name, labels.count { $0 == index + 1 }) },
      ids: labeled.map(\.path), content: .labels(labels))
  }

  private static func listFile(
    _ list: Balanced, _ pictures: [Picture], _ request: SplitRequest
  ) -> SplitFile {
    // Without the one or the other a picture has no caption, and is no use.
    let usable = pictures.filter { $0.birads != nil && $0.density != nil }
    let names = list.isDensity ? Array(densityNames.prefix(4)) : (0...6).map { "BI-RADS \($0)" }
    let first = list.isDensity ? 1 : 0
    let drawn = names.indices.map { index in
      request.drawn(
        usable.filter { (list.isDensity ? $0.density : $0.birads) == index + first }, count: list.perClass)
    }
    return SplitFile(
      name: list.name,
      rule:
        "up to \(list.perClass) a class of the \(list.split.rawValue) split's 2D pictures with BI-RADS and density,"
        + " by NumPy's permutation under seed \(request.seed)",
      counts: zip(names, drawn).map { ($0, $1.count) }, ids: drawn.flatMap { $0.map(\.path) },
      content: .labels(drawn.enumerated().flatMap { index, part in part.map { _ in index + first } }))
  }

  /// Looks up labels of pictures.
  private struct PictureReader {
    let notes: [String]
    private let findings: EMBEDFindings
    private let path, kind, accession, laterality, density, assessment: Int

    init(_ table: CSVTable, source: String) throws {
      path = try table.column("anon_dicom_path")
      kind = try table.column("FinalImageType")
      accession = try table.column("acc_anon")
      laterality = try table.column("ImageLateralityFinal")
      let folder = (source as NSString).deletingLastPathComponent
      let names = ["reduced.csv", ""].map {
        $0.isEmpty ? "EMBED_OpenData_clinical.csv" : "EMBED_OpenData_clinical_\($0)"
      }
      let files = names.map { (folder.isEmpty ? "." : folder) + "/" + $0 }
      guard let file = files.first(where: FileSystem.exists) else {
        throw DataError.missing(
          Problem(
            files[0], found: "no such file, nor \(names[1])", expected: "the findings beside the metadata",
            hint: "Labels come from there."))
      }
      findings = try EMBEDFindings(file)
      density = try findings.table.column("tissueden")
      assessment = try findings.table.column("asses")
      notes = ["labels are those of \(file)"]
    }

    /// The picture of a row; nil if it is not 2D.
    func picture(_ row: [String]) throws(DataError) -> Picture? {
      guard row[kind] == "2D" else { return nil }
      let candidates = findings.rows(accession: EMBEDCell.code(row[accession]))
      let side = EMBEDCell.text(row[laterality])
      let matching = side.flatMap { findings.first(of: candidates, side: $0) }
      guard let place = matching ?? findings.first(of: candidates) else {
        return Picture(path: row[path], birads: nil, density: nil)
      }
      let annotation = findings.table.rows[place]
      var number: Int?
      if let cell = EMBEDCell.text(annotation[density]) {
        guard let value = Double(cell).flatMap(Int.init(exactly:)), (1...5).contains(value) else {
          throw .badData(
            Problem(
              findings.origin(place), found: "column 'tissueden' is '\(cell)'", expected: "1 to 5, or empty",
              hint: "Fix the row."))
        }
        number = value
      }
      let letter = TableCell.trimmed(annotation[assessment])
      return Picture(
        path: row[path], birads: EMBEDTexts.letters.firstIndex(of: letter), density: number)
    }
  }
}
