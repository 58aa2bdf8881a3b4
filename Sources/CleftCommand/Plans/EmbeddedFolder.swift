import CleftData
import CleftFormats
import CleftTensor
import CleftTraining
import Foundation

/// A folder of embeddings: `embeddings.npy` (a row each), `embeddings.csv` (what each row is of), `embeddings.json` (what
/// made them).
struct EmbeddedFolder {
  /// What the rows are of.
  enum Kind: String, Codable { case images, texts }

  /// How a model sees a picture.
  struct Pipeline: Codable, Equatable {
    var imageSizePixels: Int
    var resizesStraight, truncatesSides: Bool
    var dicom: String
  }

  /// What `embeddings.json` holds.
  struct Facts: Codable {
    /// Version of this format.
    var version: Int
    var kind: Kind
    /// Rows, and numbers of a row.
    var count, width: Int
    var feature: FeatureKind
    var model: ModelUse.Facts
    /// What tells the model's weights from all others.
    var fingerprint: String
    var precision: String
    /// How pictures became the model's input; nil for texts.
    var pipeline: Pipeline?
    /// Where the rows come from: a dataset's table, a file of texts, names of pictures.
    var source: String
    /// Options with which the model is read as it was, and those of the dataset that change how texts are read.
    var modelOptions, dataOptions: [String]
    /// Pictures that could not be read.
    var skipped: [BadRow]

    static let newest = 1
  }

  static let (numbersName, tableName, factsName) = ("embeddings.npy", "embeddings.csv", "embeddings.json")

  let path: String
  let facts: Facts
  let numbers: NumpyFile
  /// What the rows are of.
  let table: CSVTable

  /// Opens a folder and checks that its files belong together.
  ///
  /// - Throws: `TrainingError.missing` or `.badData`, `FormatError`.
  init(_ path: String) throws {
    self.path = path
    facts = try Self.facts(path)
    numbers = try NumpyFile("\(path)/\(Self.numbersName)")
    table = try CSVTable("\(path)/\(Self.tableName)")
    guard numbers.shape == [facts.count, facts.width], table.rows.count == facts.count else {
      throw TrainingError.badData(
        Problem(
          path, found: "numbers [\(numbers.shape)] and \(table.rows.count) lines of \(Self.tableName)",
          expected: "[\(facts.count)x\(facts.width)] and \(facts.count) as in \(Self.factsName)",
          hint: "Files of two embeddings are mixed, or one is cut; run 'cleft embed' again."))
    }
  }

  /// What made a folder's embeddings.
  static func facts(_ path: String) throws -> Facts {
    let file = "\(path)/\(factsName)"
    guard FileSystem.exists(file) else {
      throw TrainingError.missing(
        Problem(
          path, found: FileSystem.exists(path) ? "no \(factsName)" : "no such folder",
          expected: "a folder that 'cleft embed' wrote"))
    }
    let facts: Facts
    do { facts = try JSONDecoder().decode(Facts.self, from: FileSystem.read(file)) } catch let error
      as FormatError
    { throw error } catch {
      throw TrainingError.badData(
        Problem(file, found: "no description of embeddings", hint: "Run 'cleft embed' again."))
    }
    guard facts.version <= Facts.newest else {
      throw TrainingError.badData(
        Problem(
          file, found: "version \(facts.version)", expected: "at most \(Facts.newest)",
          hint: "A newer program wrote it."))
    }
    guard facts.count > 0, facts.width > 0 else {
      throw TrainingError.badData(Problem(file, found: "no rows", expected: "at least one"))
    }
    return facts
  }
}

/// Writes a folder of embeddings: beside its place, renamed when it is whole.
final class EmbeddedFolderWriter {
  private let path, partial: String
  private let numbers: NumpyWriter
  private let columns: [String]
  private var rows: [[String]] = []
  private var isDone = false

  /// Begins a folder.
  ///
  /// - Parameter columns: of the table, behind `row`.
  /// - Throws: `TrainingError.badConfiguration` if something else has the name, `FormatError.system`.
  init(_ path: String, width: Int, columns: [String]) throws {
    self.path = try Self.requireFree(path)
    self.columns = columns
    partial = FileSystem.partialPath(of: self.path)
    try FileSystem.makeFolder(partial)
    numbers = try NumpyWriter("\(partial)/\(EmbeddedFolder.numbersName)", width: width)
  }

  deinit { if !isDone { FileSystem.remove(partial) } }

  /// The path of a folder that may be written: one that is not there, is empty, or holds embeddings.
  static func requireFree(_ path: String) throws -> String {
    let path = URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
    let others = FileSystem.list(path).filter {
      ![EmbeddedFolder.numbersName, EmbeddedFolder.tableName, EmbeddedFolder.factsName].contains($0)
    }
    guard others.isEmpty, FileSystem.isFolder(path) || !FileSystem.exists(path) else {
      throw TrainingError.badConfiguration(
        Problem(
          "--out \(path)", found: others.first.map { "a folder with other files in it, '\($0)'" } ?? "a file",
          expected: "a new folder, or one that 'cleft embed' wrote"))
    }
    return path
  }

  /// Rows so far.
  var count: Int { numbers.rowCount }

  /// Appends vectors `[n, width]` and what they are of.
  func append(_ vectors: Tensor, _ fields: [[String]]) throws {
    precondition(
      vectors.shape.rows == fields.count, "embeddings: \(fields.count) lines for [\(vectors.shape)]")
    try numbers.append(vectors)
    for row in fields { rows.append(["\(rows.count)"] + row) }
  }

  /// Gives the folder its name, in place of an older one.
  func finish(_ facts: EmbeddedFolder.Facts) throws {
    try numbers.finish()
    try FileSystem.write(
      Data(csvText(columns: ["row"] + columns, rows: rows).utf8),
      to: "\(partial)/\(EmbeddedFolder.tableName)")
    try FileSystem.write(
      Data(jsonText(facts, pretty: true).utf8), to: "\(partial)/\(EmbeddedFolder.factsName)")
    FileSystem.synchronizeFolder(partial)
    let old = FileSystem.partialPath(of: path)
    if let reason = FileSystem.replace(path, with: partial, keepingOldAs: old) {
      throw FormatError.system(
        Problem(path, found: "cannot be made (\(reason))", hint: "Choose another folder."))
    }
    isDone = true
    FileSystem.remove(old)
    FileSystem.synchronizeFolder(URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }
}
