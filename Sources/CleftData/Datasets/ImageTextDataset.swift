import CleftFormats
import Foundation

/// Which part of a dataset is meant.
public enum Split: String, Sendable, CaseIterable, Codable {
  case train, valid, test
}

/// One picture with what is known about it.
public struct Sample: Sendable, Equatable {
  /// Where the picture lies.
  public var imagePath: String
  /// The caption to train with; nil where there is none.
  public var caption: String?
  /// Class numbers that are present, in class order.
  public var labels: [Int]
  /// Class numbers of which the table says neither that they are present nor that they are not, in class order.
  public var uncertain: [Int] = []
  /// File and line of the table that it comes from, for messages.
  public var origin: String
  /// Who is on it, as far as the table or the path says; nil if unknown.
  public var patient: String?
  /// Text in front of every class prompt of this one picture (EMBED's instance captions); nil for none.
  public var promptPrefix: String?
  /// What is known about who is on it and how it was taken.
  public var traits = SampleTraits()

  /// The class that single-class scores go by: the first one present, 0 if none is.
  public var firstLabel: Int { labels.first ?? 0 }

  /// Makes a sample.
  public init(
    imagePath: String, caption: String?, labels: [Int], origin: String, patient: String? = nil,
    promptPrefix: String? = nil
  ) {
    self.imagePath = imagePath
    self.caption = caption
    self.labels = labels
    self.origin = origin
    self.patient = patient
    self.promptPrefix = promptPrefix
  }
}

/// A row that cannot be used, and why.
public struct BadRow: Sendable, Equatable, Codable {
  /// File and line of the table.
  public var origin: String
  /// Its picture; empty if the row does not name one.
  public var imagePath: String
  /// What is wrong, in one line.
  public var reason: String

  /// Makes a row.
  public init(origin: String, imagePath: String, reason: String) {
    self.origin = origin
    self.imagePath = imagePath
    self.reason = reason
  }
}

/// What happens to rows that cannot be used.
public enum BadRowPolicy: String, Sendable, CaseIterable, Codable {
  /// The first one ends the run before it starts.
  case stop
  /// They are left out, counted and listed.
  case skip
}

/// Samples with classes and prompts: what every dataset is turned into.
public struct ImageTextDataset: Sendable {
  /// Name in messages and tables.
  public var name: String
  /// Samples in table order.
  public var samples: [Sample]
  /// Class names, in class order.
  public var classNames: [String]
  /// Prompt sets; the first one is scored, the others are reported beside it.
  public var promptSets: [PromptSet]
  /// The table that the samples come from.
  public var table: String
  /// Rows of the table that were left out, by reason.
  public var leftOut: [String: Int] = [:]
  /// Rows that cannot be used; empty unless the request says to skip them.
  public var badRows: [BadRow] = []
  /// What a run should say once about this dataset.
  public var notes: [String] = []
  /// Columns of a tokenized caption, as published for this dataset.
  public var captionLength = 64

  /// Makes a dataset; everything else is set on the value.
  public init(
    name: String, table: String, samples: [Sample], classNames: [String], promptSets: [PromptSet]
  ) {
    self.name = name
    self.table = table
    self.samples = samples
    self.classNames = classNames
    self.promptSets = promptSets
  }
}

extension ImageTextDataset {
  /// Fails without any samples.
  ///
  /// - Throws: `DataError.badData` with the reasons for which rows were left out.
  public func requireRows() throws(DataError) {
    guard samples.isEmpty else { return }
    let reasons = leftOut.map { "\($1) \($0)" }.sorted().joined(separator: ", ")
    let skipped = badRows.first.map { "Bad rows: \(badRows.count), the first \($0.origin): \($0.reason)." }
    throw .badData(
      Problem(
        table, found: "no usable row\(reasons.isEmpty ? "" : " (left out: \(reasons))")",
        expected: "at least one", hint: skipped ?? notes.first.map { "\($0)." } ?? ""))
  }

  /// Fails if a picture is not there, before any work is done.
  ///
  /// - Throws: `DataError.missing` with the first row and the number of such rows; `.badData` without any samples.
  public func requirePictures() throws(DataError) {
    try requireRows()
    let missing = samples.filter { !FileSystem.exists($0.imagePath) }
    guard let first = missing.first else { return }
    throw .missing(
      Problem(
        "\(first.origin): \(first.imagePath)",
        found: "no such file\(missing.count > 1 ? ", nor for \(missing.count - 1) other rows" : "")",
        hint: "Check --data_dir and the paths in the table."))
  }
}

/// A folder that a layout needs.
func requireFolder(_ path: String, hint: String) throws(DataError) {
  guard FileSystem.isFolder(path) else {
    throw .missing(Problem(path, found: "no such folder", expected: "the published layout", hint: hint))
  }
}
