import CleftFormats

/// A split of a dataset, as it is checked.
public typealias CheckedPart = (split: Split, dataset: ImageTextDataset)

/// What there is in one split.
public struct SplitCheck: Sendable, Equatable, Codable {
  /// Which split.
  public var split: Split
  /// The dataset's name and table.
  public var name, table: String
  /// Rows that can be used, as far as the table goes.
  public var sampleCount: Int
  /// Rows that cannot, for a cell of theirs.
  public var badRowCount: Int
  /// Rows that were left out, by reason.
  public var leftOut: [String: Int]
  /// People, and rows that do not say whose they are.
  public var patientCount, unknownPatientCount: Int
  /// What the dataset says of itself.
  public var notes: [String]
  /// Classes.
  public var labels: LabelStatistics
  /// Captions.
  public var captions: CaptionStatistics
  /// Pictures.
  public var pictures: PictureStatistics

  /// The dataset's name, with the split where the name does not tell.
  public var title: String { name.contains(split.rawValue) ? name : "\(name) (\(split.rawValue))" }
}

/// Somebody who is in more than one split.
public struct SharedPatient: Sendable, Equatable, Codable {
  /// Who.
  public var patient: String
  /// Rows of each split.
  public var rows: [String: Int]
}

/// Whether a dataset can be trained on, and what is in it.
///
/// A plain value from tables and findings: reading and decoding are done by then.
public struct DatasetCheck: Sendable, Equatable, Codable {
  /// The splits, in the order given.
  public var splits: [SplitCheck]
  /// All that is wrong, by split and then in table order.
  public var problems: [DataProblem]
  /// People in more than one split, by name.
  public var sharedPatients: [SharedPatient]
  /// What is to be said once about all splits together.
  public var notes: [String]
  /// Where the tokens of captions come from.
  public var tokenizer: String

  /// Whether there is nothing that training must not go on with.
  public var isSound: Bool { errorCount == 0 }

  /// Problems that training must not go on with.
  public var errorCount: Int { problems.count { $0.kind.isError } }

  /// The other problems, and captions that are cut.
  public var warningCount: Int {
    problems.count - errorCount + splits.map(\.captions.cutCount).reduce(0, +)
  }

  /// Puts a check together.
  ///
  /// Splits of the same rows, as RSNA's training and validation table, are counted once and noted.
  /// - Parameters:
  ///   - findings: of every path that a sample names.
  ///   - tokenizer: says where `tokenCount` comes from.
  ///   - tokenCount: tokens of a caption, special ones included.
  public init(
    _ given: [CheckedPart], findings: [String: PictureFinding], tokenizer: String,
    tokenCount: @Sendable (String) -> Int
  ) throws {
    let (parts, notes) = Self.withoutRepeats(given)
    splits = try parts.map { try SplitCheck($0, findings: findings, tokenCount: tokenCount) }
    let overlap = PatientOverlap(parts)
    sharedPatients = overlap.shared
    let copies = PictureCopies(parts, findings: findings)
    problems = parts.flatMap { part in
      let found =
        Self.rowProblems(part) + Self.pictureProblems(part, findings)
        + (overlap.problems + copies.problems).filter { $0.split == part.split }
      return Self.inTableOrder(found)
    }
    self.notes = notes
    self.tokenizer = tokenizer
  }

  /// Paths of all pictures, each once, in table order.
  public static func paths(_ parts: [CheckedPart]) -> [String] {
    var seen: Set<String> = []
    return parts.flatMap(\.dataset.samples).map(\.imagePath).filter { seen.insert($0).inserted }
  }

  private static func withoutRepeats(_ parts: [CheckedPart]) -> (parts: [CheckedPart], notes: [String]) {
    var kept: [CheckedPart] = []
    var notes: [String] = []
    for part in parts {
      let twin = kept.first {
        !$0.dataset.samples.isEmpty && $0.dataset.samples.map(\.origin) == part.dataset.samples.map(\.origin)
      }
      if let twin {
        notes.append(
          "\(part.split.rawValue) has the same rows as \(twin.split.rawValue) (\(part.dataset.table)): they are "
            + "counted once, and scores on \(part.split.rawValue) are scores on seen pictures")
      } else {
        kept.append(part)
      }
    }
    return (kept, notes)
  }

  private static func rowProblems(_ part: CheckedPart) -> [DataProblem] {
    let dataset = part.dataset
    if dataset.badRows.isEmpty {
      do {
        try dataset.requireRows()
      } catch {
        return [
          DataProblem(
            split: part.split, origin: dataset.table, path: "", kind: .row, reason: error.problem.found)
        ]
      }
    }
    return dataset.badRows.map {
      DataProblem(split: part.split, origin: $0.origin, path: $0.imagePath, kind: .row, reason: $0.reason)
    }
  }

  private static func pictureProblems(
    _ part: CheckedPart, _ findings: [String: PictureFinding]
  ) -> [DataProblem] {
    part.dataset.samples.compactMap { sample in
      guard let finding = findings[sample.imagePath] else {
        preconditionFailure("dataset check: no finding of \(sample.imagePath)")
      }
      return finding.problem.map {
        DataProblem(
          split: part.split, origin: sample.origin, path: sample.imagePath, kind: ProblemKind($0.fault),
          reason: $0.reason)
      }
    }
  }

  /// By line, and for one line in the order in which they were found.
  private static func inTableOrder(_ problems: [DataProblem]) -> [DataProblem] {
    func line(_ origin: String) -> Int { origin.split(separator: ":").last.flatMap { Int($0) } ?? 0 }
    return problems.enumerated().map { (key: (line($0.element.origin), $0.offset), problem: $0.element) }
      .sorted { $0.key < $1.key }.map(\.problem)
  }
}

extension SplitCheck {
  /// Sums up one split.
  init(
    _ part: CheckedPart, findings: [String: PictureFinding], tokenCount: @Sendable (String) -> Int
  ) throws {
    let dataset = part.dataset
    let patients = dataset.samples.compactMap(\.patient)
    self.init(
      split: part.split, name: dataset.name, table: dataset.table, sampleCount: dataset.samples.count,
      badRowCount: dataset.badRows.count, leftOut: dataset.leftOut, patientCount: Set(patients).count,
      unknownPatientCount: dataset.samples.count - patients.count, notes: dataset.notes,
      labels: LabelStatistics(dataset.samples, classNames: dataset.classNames),
      captions: try CaptionStatistics(
        dataset.samples, columnCount: dataset.captionLength, tokenCount: tokenCount),
      pictures: PictureStatistics(dataset.samples, findings: findings))
  }
}
