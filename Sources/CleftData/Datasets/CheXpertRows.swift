import CleftFormats

/// Turns rows of one CheXpert table into samples.
struct CheXpertRows {
  /// What rows with the same findings share.
  private struct Texts {
    var caption: String?
    var labels: [Int]
  }

  /// What a row says of the 14 findings, a bit each.
  private struct States {
    /// Those that are present and, 16 bits above them, those that are ruled out.
    var known: UInt32 = 0
    /// Those of which the row says that nobody knows.
    var uncertain: UInt16 = 0
  }

  let classes: [Finding]
  var faults: RowFaults
  /// Rows left out because nothing in them makes a caption.
  private(set) var withoutCaption = 0
  private let tablePath: String
  private let images: String
  private let request: DatasetRequest
  private let templates: CaptionTemplates
  private let family: String
  private let path: Int
  /// Column of each finding, in the order of the 14; nil where the table has none and needs none.
  private let columns: [Int?]
  /// Texts by the bits of positive and, above them, negative findings: a table has few different ones.
  private var known: [UInt32: Texts] = [:]
  /// Classes by the bits of uncertain findings.
  private var uncertain: [UInt16: [Int]] = [0: []]
  private var traits: TraitColumns

  init(table: CSVTable, images: String, request: DatasetRequest, templates: CaptionTemplates) throws {
    tablePath = table.path
    self.images = images
    self.request = request
    self.templates = templates
    classes = request.usesFiveClasses ? Finding.five : Finding.allCases
    let base = request.isPromptTuning ? "prompt_ft" : "published"
    family = !request.hasNegatives ? base : request.isPromptTuning ? "negative_prompt_ft" : "negative"
    try templates.requireValues(among: ["POSITIVES", "NEGATIVES"], ofFamilies: [family])
    path = try table.column("Path")
    var columns: [Int?] = []
    for finding in Finding.allCases {
      // A five-class training table may carry all fourteen columns; captions then name them all.
      let isOptional = request.usesFiveClasses && request.split != .test && !classes.contains(finding)
      columns.append(
        isOptional ? table.columns.firstIndex(of: finding.rawValue) : try table.column(finding.rawValue))
    }
    self.columns = columns
    faults = try RowFaults(request, table)
    traits = try TraitColumns([table], request)
  }

  /// What a run says about test rows.
  var notes: [String] { traits.notes }

  /// The sample of a row; nil if it cannot be used or has no caption to train with.
  mutating func sample(_ row: [String], line: Int) throws(DataError) -> Sample? {
    let origin = "\(tablePath):\(line)"
    let written = row[path]
    if TableCell.isMissing(written) {
      try faults.add(.empty("Path"), origin: origin, imagePath: "")
      return nil
    }
    let imagePath = request.picturePath(location(written))
    let states: States
    switch self.states(row) {
    case .success(let found): states = found
    case .failure(let fault):
      try faults.add(fault, origin: origin, imagePath: imagePath)
      return nil
    }
    let texts = try texts(of: states.known)
    if texts.caption == nil && request.split != .test && request.needsCaption {
      withoutCaption += 1
      return nil
    }
    var sample = Sample(
      imagePath: imagePath, caption: texts.caption, labels: texts.labels, origin: origin,
      patient: Self.patient(written))
    sample.uncertain = uncertainClasses(states.uncertain)
    sample.traits = traits.traits([row], origin: origin)
    return sample
  }

  private func states(_ row: [String]) -> Result<States, RowFaults.Fault> {
    var states = States()
    for (bit, column) in columns.enumerated() {
      guard let column else { continue }
      switch FindingState(cell: row[column]) {
      case .positive: states.known |= 1 << bit
      case .negative: states.known |= 1 << (bit + 16)
      case .uncertain: states.uncertain |= 1 << bit
      case .notMentioned: break
      case nil: return .failure(.label(Finding.allCases[bit].rawValue, row[column]))
      }
    }
    return .success(states)
  }

  /// Gives the n-th sample the labels of the n-th row, whether or not that row has become a sample, as published.
  ///
  /// - Returns: how many samples have labels of a row that is not theirs.
  mutating func shiftLabels(
    of samples: inout [Sample], _ rows: [Int], _ table: CSVTable
  ) throws(DataError) -> Int {
    var shifted = 0
    for index in samples.indices {
      let row = rows[index]
      if samples[index].origin != "\(tablePath):\(table.lines[row])" { shifted += 1 }
      guard case .success(let states) = states(table.rows[row]) else {
        (samples[index].labels, samples[index].uncertain) = ([], [])
        continue
      }
      samples[index].labels = try texts(of: states.known).labels
      samples[index].uncertain = uncertainClasses(states.uncertain)
    }
    return shifted
  }

  private mutating func texts(of states: UInt32) throws(DataError) -> Texts {
    if let texts = known[states] { return texts }
    func findings(shift: Int) -> [Finding] {
      Finding.allCases.enumerated().filter { states >> ($0.offset + shift) & 1 == 1 }.map(\.element)
    }
    let positives = findings(shift: 0)
    let negatives = findings(shift: 16).filter { $0 != .noFinding }
    let raw = try templates.caption(
      family,
      [
        "POSITIVES": templates.list(positives.map(\.rawValue)),
        "NEGATIVES": templates.list(negatives.map(\.rawValue)),
      ])
    let texts = Texts(
      caption: raw.flatMap(templates.cleaned), labels: positives.compactMap(classes.firstIndex).sorted())
    known[states] = texts
    return texts
  }

  private mutating func uncertainClasses(_ bits: UInt16) -> [Int] {
    if let classes = uncertain[bits] { return classes }
    let findings = Finding.allCases.enumerated().filter { bits >> $0.offset & 1 == 1 }.map(\.element)
    let numbers = findings.compactMap(classes.firstIndex).sorted()
    uncertain[bits] = numbers
    return numbers
  }

  /// The picture of a path in the table, whose first folder stands for the image folder; absolute ones stay.
  private func location(_ written: String) -> String {
    if written.hasPrefix("/") { return written }
    guard let slash = written.utf8.firstIndex(of: UInt8(ascii: "/")) else { return images + "/" + written }
    return images + written[slash...]
  }

  /// The folder `patientNNNNN` of a path.
  private static func patient(_ written: String) -> String? {
    let name = "patient".utf8
    for folder in written.utf8.split(separator: UInt8(ascii: "/")) where folder.starts(with: name) {
      return String(folder)
    }
    return nil
  }
}
