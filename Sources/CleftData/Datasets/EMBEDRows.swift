import CleftFormats
import Foundation

/// Turns rows of one EMBED metadata table into samples.
struct EMBEDRows {
  let texts: EMBEDTexts
  var faults: RowFaults
  /// Pictures left out, by reason.
  private(set) var leftOut: [String: Int] = [:]

  private let tablePath: String
  private let images: String
  private let request: DatasetRequest
  private let annotations: EMBEDAnnotations
  private let legend: EMBEDLegend?
  private let family: String
  /// Whether texts speak of the patient, so that unreadable ages matter.
  private let usesAge: Bool
  private let picture: EMBEDPictureColumns
  private let detail: DetailColumns
  private let scores: EMBEDScoreColumns
  private let finding: FindingColumns
  private let codes: [(column: Int, name: String, value: String)]
  /// Captions by what they were before cleaning: the pictures of one examination mostly share theirs.
  private var cleaned: [String: String?] = [:]
  /// Traits from the metadata and from the reduced findings.
  private var traits: TraitColumns

  /// Columns of the metadata that only texts and messages speak of.
  private struct DetailColumns {
    let view, procedure: Int
    let patient: Int?

    init(_ table: CSVTable) throws(FormatError) {
      view = try table.column("ViewPosition")
      procedure = try table.column("StudyDescription")
      patient = table.columns.firstIndex(of: EMBEDPictureColumns.patient)
    }
  }

  /// Columns of the reduced findings beside the scores.
  private struct FindingColumns {
    let age, race, ethnic: Int

    init(_ table: CSVTable) throws(FormatError) {
      age = try table.column("age_at_study")
      race = try table.column("RACE_DESC")
      ethnic = try table.column("ETHNIC_GROUP_DESC")
    }
  }

  init(table: CSVTable, images: String, request: DatasetRequest, templates: CaptionTemplates) throws {
    tablePath = table.path
    self.images = images
    self.request = request
    texts = try EMBEDTexts(templates)
    family = request.captionFamily ?? "default"
    let used = [family] + (request.usesInstanceCaptions ? ["instance_" + family] : [])
    try templates.requireValues(among: EMBEDTexts.valueNames, ofFamilies: used)
    usesAge = try used.contains { try templates.valueNames(ofFamily: $0).contains("AGE") }
    picture = try EMBEDPictureColumns(table)
    detail = try DetailColumns(table)
    annotations = try EMBEDAnnotations(request)
    scores = try EMBEDScoreColumns(annotations.reduced.table)
    finding = try FindingColumns(annotations.reduced.table)
    faults = try RowFaults(request, table)
    traits = try TraitColumns([table, annotations.reduced.table], request)
    guard let full = annotations.full else {
      (legend, codes) = (nil, [])
      return
    }
    legend = try EMBEDLegend(EMBED.legendPath(request))
    codes = try [
      ("massshape", "MASS_SHAPE"), ("massdens", "MASS_DENSITY"), ("calcfind", "CALC_SHAPE"),
      ("calcdistri", "CALC_DISTRIBUTION"),
    ].map { (try full.table.column($0.0), $0.0, $0.1) }
  }

  /// What a run says about test rows.
  var notes: [String] { traits.notes }

  /// Names of the columns in use whose cells count as empty.
  var emptiedColumns: [String] {
    let own = annotations.reduced
    let used = [scores.density, scores.assessment, finding.age, finding.race, finding.ethnic]
    let other = annotations.full.map { full in
      codes.filter { full.emptied.contains($0.column) }.map { full.table.columns[$0.column] }
    }
    return used.filter(own.emptied.contains).map { own.table.columns[$0] } + (other ?? [])
  }

  /// The sample of a row; nil if it is left out, which is then counted.
  mutating func sample(_ row: [String], line: Int, labels: inout EMBEDLabels) throws(DataError) -> Sample? {
    let origin = "\(tablePath):\(line)"
    guard let written = EMBEDCell.text(row[picture.path]) else {
      try faults.add(.empty("anon_dicom_path"), origin: origin, imagePath: "")
      return nil
    }
    guard labels.lists(written) else { return skip(labels.notListed) }
    let imagePath = request.picturePath(location(written))
    let found = annotations.rows(accession: row[picture.accession], laterality: row[picture.laterality])
    guard case .success(let rows) = found else {
      if case .failure(let failure) = found { return skip(failure.gap.rawValue) }
      return nil
    }
    var values = pictureValues(row)
    let annotation = annotations.reduced.cells(rows.reduced)
    do throws(RowFaults.Fault) { try addFindings(annotation, to: &values) } catch {
      try faults.add(error, origin: annotations.reduced.origin(rows.reduced), imagePath: imagePath)
      return nil
    }
    addCodes(rows.full, to: &values)
    guard let raw = try texts.templates.caption(family, values) else { return skip(missingReason(values)) }
    switch labels.label(written, values) {
    case .failure(let gap): return skip(gap.reason)
    case .success(let label):
      var sample = Sample(
        imagePath: imagePath, caption: clean(raw), labels: [label], origin: origin,
        patient: detail.patient.flatMap { EMBEDCell.text(row[$0]) }.map(EMBEDCell.code),
        promptPrefix: request.usesInstanceCaptions
          ? try texts.templates.caption("instance_" + family, values)?.lowercased() : nil)
      sample.traits = traits.traits([row, annotations.reduced.table.rows[rows.reduced]], origin: origin)
      return sample
    }
  }

  private mutating func skip(_ reason: String) -> Sample? {
    leftOut[reason, default: 0] += 1
    return nil
  }

  private mutating func clean(_ raw: String) -> String? {
    if let known = cleaned[raw] { return known }
    let text = texts.templates.cleaned(raw)
    cleaned[raw] = .some(text)
    return text
  }

  /// Which of the values that the caption cannot do without is missing.
  private func missingReason(_ values: [String: String]) -> String {
    let words = [
      "DENSITY": "no density", "BIRADS": "no BI-RADS", "PROCEDURE": "no procedure",
      "REASON": "no reason for the procedure",
    ]
    let required = texts.templates.captions[family]?.requires ?? []
    guard let name = required.first(where: { values[$0] == nil }) else { return "no caption" }
    return words[name] ?? "no \(name)"
  }

  /// The picture's file: the published place of the images gives way to ours.
  private func location(_ written: String) -> String {
    if written.hasPrefix(EMBED.publishedPrefix) {
      return images + written.dropFirst(EMBED.publishedPrefix.count)
    }
    return written.hasPrefix("/") ? written : images + "/" + written
  }

  private func pictureValues(_ row: [String]) -> [String: String] {
    var values: [String: String] = [:]
    values["SIDE"] = texts.templates.word("side", row[picture.laterality])
    values["VIEW"] = EMBEDCell.text(row[detail.view])
    values["IMAGE_TYPE"] = EMBEDCell.text(row[picture.kind])
    guard let procedure = EMBEDCell.text(row[detail.procedure]) else { return values }
    values["PROCEDURE"] = procedure
    let lowered = procedure.lowercased()
    values["REASON"] =
      lowered.contains("screen") ? "screening" : lowered.contains("diag") ? "diagnostic" : nil
    return values
  }

  /// Adds what the reduced table says.
  ///
  /// - Throws: a cell that cannot be read.
  private func addFindings(
    _ row: [String], to values: inout [String: String]
  ) throws(RowFaults.Fault) {
    if let number = try scores.density(row) { values.merge(texts.values(density: number)) { $1 } }
    if let number = scores.birads(row) { values.merge(texts.values(birads: number)) { $1 } }
    values["RACE"] = EMBEDCell.text(row[finding.race])
    let hispanic = "Hispanic or Latino"
    values["ETHNIC"] = row[finding.ethnic] == hispanic ? hispanic : "Non-" + hispanic
    if usesAge, let cell = EMBEDCell.text(row[finding.age]) {
      guard let age = Double(cell), abs(age) < 1_000 else {
        throw .label("age_at_study", cell, expected: "years, or empty")
      }
      values["AGE"] = String(Int(age))
    }
  }

  /// Adds what the full table says, in the legend's words.
  private func addCodes(_ row: Int?, to values: inout [String: String]) {
    guard let row, let full = annotations.full, let legend else { return }
    let cells = full.cells(row)
    for code in codes { values[code.value] = legend.meaning(code.name, cells[code.column]) }
  }
}
