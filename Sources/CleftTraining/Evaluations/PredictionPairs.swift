import CleftData
import CleftFormats
import CleftMetrics

/// The pictures of a test set that another evaluation has too.
public struct PredictionPairs {
  /// Where the other evaluation is.
  public let path: String
  /// Rows of the pictures here and there.
  let rows: [(here: Int, there: Int)]
  private let other: PredictionFile

  /// Pairs pictures by their paths.
  ///
  /// - Throws: `TrainingError.badData` if classes, question or labels differ, or no picture is in both.
  public init(
    _ dataset: ImageTextDataset, _ question: PredictionTable.Question, with other: PredictionFile,
    path: String
  ) throws(TrainingError) {
    func refuse(_ found: String, _ expected: String) -> TrainingError {
      .badData(Problem("--compare \(path)", found: found, expected: expected))
    }
    guard other.table.classNames == dataset.classNames, other.table.question == question else {
      throw refuse(
        "classes \(other.table.classNames.joined(separator: ", ")) (\(other.table.question.rawValue))",
        "\(dataset.classNames.joined(separator: ", ")) (\(question.rawValue))")
    }
    let (here, there) = (dataset.samples.map(\.imagePath), other.paths)
    var rows = Self.pairs(here, there)
    // The same pictures may lie elsewhere, or be named from another folder.
    if rows.isEmpty { rows = Self.pairs(CommonFolder.tails(of: here), CommonFolder.tails(of: there)) }
    guard !rows.isEmpty else {
      throw refuse(
        "none of the \(here.count) pictures",
        "an evaluation of the same pictures, which are known by their paths")
    }
    for (here, there) in rows {
      let sample = dataset.samples[here]
      let labels = question == .oneOf ? [sample.firstLabel] : sample.labels
      let unknown = other.table.unknown.isEmpty ? [] : other.table.unknown[there]
      guard labels == other.table.labels[there], question == .oneOf || sample.uncertain == unknown else {
        throw refuse("another label for \(sample.imagePath)", "the same truth")
      }
    }
    (self.rows, self.other, self.path) = (rows, other, path)
  }

  /// The scores of the pairs here and there, with the patients and the truth of here.
  func tables(_ own: PredictionTable) -> (here: PredictionTable, there: PredictionTable) {
    let here = own.rows(rows.map(\.here))
    var there = other.table.rows(rows.map(\.there))
    (there.clusters, there.unknown) = (here.clusters, here.unknown)
    return (here, there)
  }

  /// Places of equal paths, the first of one list with the first of the other, and so on.
  private static func pairs(_ here: [String], _ there: [String]) -> [(here: Int, there: Int)] {
    var known: [String: [Int]] = [:]
    for index in there.indices.reversed() { known[there[index], default: []].append(index) }
    return here.indices.compactMap { index in
      known[here[index]]?.popLast().map { (here: index, there: $0) }
    }
  }
}

extension ComparisonReport {
  /// Numbers of an evaluation beside those of another one of the same pictures.
  ///
  /// - Parameter bootstrap: draws for intervals and p; nil for neither.
  public init(_ scored: ScoredPictures, _ pairs: PredictionPairs, _ bootstrap: Bootstrap?) {
    let tables = pairs.tables(scored.parts[0].table)
    self.init(
      other: pairs.path, count: pairs.rows.count,
      differences: PairedBootstrap.differences(tables.here, tables.there, bootstrap))
  }
}
