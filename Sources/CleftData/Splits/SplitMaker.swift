import CleftFormats
import Foundation

/// What splits are made of.
package struct SplitRequest {
  /// The table of the dataset as it is distributed.
  let source: String
  /// Where the files go, in the published layout.
  let outputFolder: String
  /// Seed of every draw.
  let seed: UInt32
  /// Pictures a class, where the split has such a number.
  let perClass: Int?
}

/// One file of a split, made but not yet written.
package struct SplitFile {
  /// Path below the output folder.
  var name: String
  /// How its rows were chosen, in one line.
  var rule: String
  /// Rows of each class, in class order.
  var counts: [(className: String, count: Int)]
  /// What identifies each row, in file order.
  var ids: [String]
  /// What the file holds.
  var content: Content

  /// A table, or labels by path.
  package enum Content {
    case table(columns: [String], rows: [[String]])
    case labels([Int])
  }

  package init(
    name: String, rule: String, counts: [(className: String, count: Int)], ids: [String], content: Content
  ) {
    self.name = name
    self.rule = rule
    self.counts = counts
    self.ids = ids
    self.content = content
  }
}

/// What was written, so that others can tell whether they have the same split.
public struct SplitReport: Sendable, Equatable, Codable {
  /// One class of a file.
  public struct ClassCount: Sendable, Equatable, Codable {
    /// The class.
    public var className: String
    /// Its rows in the file.
    public var count: Int
  }

  /// One file.
  public struct File: Sendable, Equatable, Codable {
    /// Where it lies.
    public var path: String
    /// How its rows were chosen, in one line.
    public var rule: String
    /// Rows of each class, in class order.
    public var counts: [ClassCount]
    /// Rows in all.
    public var rowCount: Int
    /// SHA-256 of the rows' identifiers, one a line, each line ended, in file order.
    public var idListSHA256: String
  }

  /// The files, in the order in which they were written.
  public var files: [File]
  /// What was not as planned, for example a class with too few pictures.
  public var notes: [String]
}

/// Makes the tables and lists of a dataset's splits out of the dataset as it is distributed.
public struct SplitMaker: Sendable {
  /// Name in options.
  public let name: String
  /// One line for help.
  public let summary: String
  /// Chooses the rows; nothing is written.
  let plan: @Sendable (SplitRequest) throws -> (files: [SplitFile], notes: [String])

  package init(
    name: String, summary: String,
    plan: @escaping @Sendable (SplitRequest) throws -> (files: [SplitFile], notes: [String])
  ) {
    self.name = name
    self.summary = summary
    self.plan = plan
  }

  /// Writes the files of a split.
  ///
  /// - Parameters:
  ///   - source: the distributed table.
  ///   - outputFolder: the dataset's folder of the published layout; made if it is not there.
  ///   - seed: equal seeds give equal files.
  ///   - perClass: pictures a class, for splits that draw a number of them; nil for the published number.
  /// - Throws: `DataError.badRequest` if one of the files exists, before anything is written; `DataError.badData` and
  ///   `FormatError` naming what is wrong with the source.
  public func make(
    source: String, outputFolder: String, seed: UInt32, perClass: Int? = nil
  ) throws -> SplitReport {
    let request = SplitRequest(source: source, outputFolder: outputFolder, seed: seed, perClass: perClass)
    let (files, notes) = try plan(request)
    let existing = files.map { "\(outputFolder)/\($0.name)" }.filter(FileSystem.exists)
    if let first = existing.first {
      throw DataError.badRequest(
        Problem(
          first,
          found:
            "a file that is already there\(existing.count > 1 ? ", and \(existing.count - 1) more" : "")",
          expected: "none: splits are never overwritten", hint: "Choose another folder, or move it away."))
    }
    try write(files, below: outputFolder)
    return SplitReport(
      files: files.map { file in
        SplitReport.File(
          path: "\(outputFolder)/\(file.name)", rule: file.rule,
          counts: file.counts.map { .init(className: $0.className, count: $0.count) },
          rowCount: file.ids.count, idListSHA256: SHA256.hex(file.ids.map { $0 + "\n" }.joined()))
      }, notes: notes)
  }

  /// Writes all files or, if one cannot be written, leaves none: the next run would refuse to overwrite them.
  private func write(_ files: [SplitFile], below folder: String) throws(FormatError) {
    var written: [String] = []
    do {
      for file in files {
        let path = "\(folder)/\(file.name)"
        try write(file, to: path)
        written.append(path)
      }
    } catch {
      for path in written { unlink(path) }
      throw error
    }
  }

  private func write(_ file: SplitFile, to path: String) throws(FormatError) {
    try FileSystem.makeFolder((path as NSString).deletingLastPathComponent)
    switch file.content {
    case .table(let columns, let rows):
      try FileSystem.write(Data(csvText(columns: columns, rows: rows).utf8), to: path)
    case .labels(let labels):
      let entries = zip(file.ids, labels).map { TorchValue.Entry(.string($0), .int($1)) }
      try PlainPickle.write(.dictionary(entries), to: path)
    }
  }
}

/// Every maker of splits by name.
public enum SplitCatalog {
  /// All makers.
  public static let all: [SplitMaker] = [
    SplitMaker(
      name: "chexpert-5x200", summary: "chexpert_5x200.csv out of CheXpert's train.csv",
      plan: CheXpertSplit.plan),
    SplitMaker(
      name: "rsna", summary: "balanced training and test tables out of stage_2_train_labels.csv",
      plan: RSNASplit.plan),
    SplitMaker(
      name: "embed", summary: "tables by patient and balanced lists out of EMBED_OpenData_metadata.csv",
      plan: EMBEDSplit.plan),
  ]

  /// The maker of a name.
  public static func named(_ name: String) -> SplitMaker? { all.first { $0.name == name } }
}

extension SplitRequest {
  /// Some of the elements, drawn as pandas' `sample(n:, random_state: seed)` does; all of them, in that order, where
  /// there are no more.
  func drawn<Element>(_ elements: [Element], count: Int) -> [Element] {
    Subsampling.pandasPermutation(count: elements.count, seed: seed).prefix(count).map { elements[$0] }
  }

  /// Refuses a number of pictures a class where the split has none to choose.
  func requireNoPerClass(_ maker: String) throws(DataError) {
    guard perClass != nil else { return }
    throw .badRequest(
      Problem(maker, found: "a number of pictures a class", expected: "none: this split's numbers are fixed"))
  }
}
