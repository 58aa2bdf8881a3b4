import CleftData
import CleftFormats
import CleftMetrics
import Foundation

/// `predictions.csv`: what a model said of every picture of a test set.
///
/// Columns: `path`, `origin`, `patient`, `question`, a `trait:NAME` each, `labels`, `uncertain` (class names separated by `;`,
/// one of theirs written `%3B`), then for each class `p:CLASS` and `logit:CLASS` of the prompt set that counts, and
/// `logit(SET):CLASS` of the others.
public struct PredictionFile {
  /// Path of each picture.
  public let paths: [String]
  /// Scores and truth under the prompt set that counts.
  public let table: PredictionTable

  private static let separator = ";"

  /// The text of a file.
  public static func text(_ dataset: ImageTextDataset, _ scored: ScoredPictures) -> String {
    let first = scored.parts[0].table
    let (names, probabilities) = (first.classNames, first.probabilities())
    let traits = SampleTraits.bands(dataset.samples.map(\.traits))
    let others = scored.parts.dropFirst().flatMap { part in
      names.map { "logit(\(part.prompts?.name ?? "")):\($0)" }
    }
    let columns =
      ["path", "origin", "patient", "question"] + traits.map { "trait:\($0.name)" } + ["labels", "uncertain"]
      + names.map { "p:\($0)" } + names.map { "logit:\($0)" } + others
    let rows = dataset.samples.enumerated().map { row, sample -> [String] in
      let range = row * names.count..<(row + 1) * names.count
      func list(_ classes: [Int]) -> String {
        classes.map { escaped(names[$0]) }.joined(separator: separator)
      }
      return [sample.imagePath, sample.origin, sample.patient ?? "", first.question.rawValue]
        + traits.map { $0.values[row] ?? "" }
        + [list(first.labels[row]), list(first.unknown.isEmpty ? [] : first.unknown[row])]
        + probabilities[range].map { "\($0)" } + first.logits[range].map { "\(Float($0))" }
        + scored.parts.dropFirst().flatMap { $0.table.logits[range].map { "\(Float($0))" } }
    }
    return csvText(columns: columns, rows: rows)
  }

  /// A class's name in a list of them.
  private static func escaped(_ name: String) -> String {
    name.replacing("%", with: "%25").replacing(separator, with: "%3B")
  }

  /// Reads a file.
  ///
  /// - Throws: `FormatError` and `TrainingError.badData` with line and column.
  public init(_ path: String) throws {
    let csv = try CSVTable(path)
    let logits = csv.columns.indices.filter { csv.columns[$0].hasPrefix("logit:") }
    let names = logits.map { String(csv.columns[$0].dropFirst("logit:".count)) }
    guard !names.isEmpty else {
      throw TrainingError.badData(
        Problem(
          "\(path):1", found: "no column 'logit:CLASS'", expected: "predictions.csv of 'cleft eval'"))
    }
    let places = try ["path", "patient", "question", "labels", "uncertain"].map { try csv.column($0) }
    var values: [Double] = []
    var (labels, unknown): ([[Int]], [[Int]]) = ([], [])
    for (row, line) in zip(csv.rows, csv.lines) {
      for column in logits {
        guard let value = Float(row[column]), value.isFinite else {
          throw TrainingError.badData(
            Problem(
              "\(path):\(line)", found: "'\(row[column])' in \(csv.columns[column])",
              expected: "a finite number"))
        }
        values.append(Double(value))
      }
      func classes(_ cell: String) throws -> [Int] {
        try cell.split(separator: Self.separator).map { name in
          guard let index = names.firstIndex(where: { Self.escaped($0) == name }) else {
            throw TrainingError.badData(
              Problem("\(path):\(line)", found: "class '\(name)'", expected: names.joined(separator: ", ")))
          }
          return index
        }
      }
      labels.append(try classes(row[places[3]]))
      unknown.append(try classes(row[places[4]]))
    }
    guard let question = csv.rows.first.flatMap({ PredictionTable.Question(rawValue: $0[places[2]]) }) else {
      throw TrainingError.badData(Problem("\(path):2", found: "no question", expected: "one_of or each"))
    }
    if let strange = csv.rows.firstIndex(where: { $0[places[2]] != question.rawValue }) {
      throw TrainingError.badData(
        Problem(
          "\(path):\(csv.lines[strange])", found: "question '\(csv.rows[strange][places[2]])'",
          expected: question.rawValue))
    }
    paths = csv.rows.map { $0[places[0]] }
    table = PredictionTable(
      classNames: names, question: question, logits: values, labels: labels,
      unknown: unknown.allSatisfy(\.isEmpty) ? [] : unknown,
      clusters: PredictionTable.clusters(of: csv.rows.map { $0[places[1]].isEmpty ? nil : $0[places[1]] }))
  }
}
