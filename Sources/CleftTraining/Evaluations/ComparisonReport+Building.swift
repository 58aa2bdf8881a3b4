import CleftData
import CleftFormats
import CleftMetrics

extension ComparisonReport {
  /// Numbers of an evaluation beside those of another one of the same pictures, paired by path.
  ///
  /// - Parameters:
  ///   - scored: the scores here.
  ///   - other: the scores there, from `path`.
  /// - Throws: `TrainingError.badData` if classes or labels differ, or no picture is in both.
  public init(
    _ dataset: ImageTextDataset, _ scored: ScoredPictures, _ other: PredictionFile, path: String,
    _ bootstrap: Bootstrap
  ) throws(TrainingError) {
    let own = scored.parts[0].table
    func refuse(_ found: String, _ expected: String) -> TrainingError {
      .badData(Problem("--compare \(path)", found: found, expected: expected))
    }
    guard other.table.classNames == own.classNames, other.table.question == own.question else {
      throw refuse(
        "classes \(other.table.classNames.joined(separator: ", ")) (\(other.table.question.rawValue))",
        "\(own.classNames.joined(separator: ", ")) (\(own.question.rawValue))")
    }
    let there = Dictionary(zip(other.paths, other.paths.indices)) { first, _ in first }
    let pairs = dataset.samples.enumerated().compactMap { index, sample in
      there[sample.imagePath].map { (here: index, there: $0) }
    }
    guard !pairs.isEmpty else {
      throw refuse("none of the \(own.count) pictures", "an evaluation of the same pictures")
    }
    for (here, there) in pairs where own.labels[here] != other.table.labels[there] {
      throw refuse("another label for \(dataset.samples[here].imagePath)", "the same truth")
    }
    var second = other.table.rows(pairs.map(\.there))
    let first = own.rows(pairs.map(\.here))
    second.clusters = first.clusters
    second.unknown = first.unknown
    self.init(
      other: path, count: pairs.count,
      differences: PairedBootstrap.differences(first, second, bootstrap))
  }
}
