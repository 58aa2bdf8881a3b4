import CleftData
import CleftMetrics
import CleftTensor

/// Scores of validation pictures, for thresholds and temperature.
public struct ValidationScores: Sendable {
  /// One table a prompt set, in the order of the test set's.
  public var tables: [PredictionTable]
  /// Which pictures these are, for the report.
  public var text: String

  /// Makes scores.
  public init(tables: [PredictionTable], text: String) { (self.tables, self.text) = (tables, text) }
}

extension EvaluationReport {
  /// Sums up the scores of a test set.
  ///
  /// - Parameters:
  ///   - validation: scores to choose thresholds on, or why there are none.
  ///   - bootstrap: draws for intervals; nil for none.
  public init(
    _ dataset: ImageTextDataset, _ scored: ScoredPictures, validation: Result<ValidationScores, NoValidation>,
    bootstrap: Bootstrap?
  ) {
    let traits = SampleTraits.bands(dataset.samples.map(\.traits))
    var known: ValidationScores?
    var text = ""
    switch validation {
    case .success(let scores): (known, text) = (scores, scores.text)
    case .failure(let reason): text = reason.text
    }
    let scores = scored.parts.enumerated().map { index, part in
      PromptScores(
        prompts: part.prompts?.name ?? "classifier", texts: part.prompts?.texts ?? [],
        negatives: part.prompts?.negatives,
        card: Scorecard(
          part.table, validation: known?.tables[index], traits: traits, bootstrap: bootstrap),
        counts: part.table.question == .each ? part.table.counts : nil)
    }
    self.init(
      dataset: dataset, question: scored.parts[0].table.question, scores: scores, validation: text)
    let others = scores.dropFirst().flatMap { set in
      set.card.warnings.filter { !(scores[0].card.warnings.contains($0)) }.map {
        "prompts '\(set.prompts)': \($0)"
      }
    }
    notes = dataset.notes + scores[0].card.warnings + others
  }

  /// Why there are no validation pictures.
  public struct NoValidation: Error {
    /// The reason.
    public let text: String

    /// Makes a reason.
    public init(_ text: String) { self.text = text }
  }
}

extension PredictionTable {
  /// What became of the samples whose truth is known under each class; a logit above 0 says yes.
  fileprivate var counts: [MultiLabel.Counts] {
    classNames.indices.map { column in
      var counts = MultiLabel.Counts()
      for row in labels.indices where unknown.isEmpty || !unknown[row].contains(column) {
        switch (labels[row].contains(column), logits[row * classCount + column] > 0) {
        case (true, true): counts.truePositive += 1
        case (true, false): counts.falseNegative += 1
        case (false, true): counts.falsePositive += 1
        case (false, false): counts.trueNegative += 1
        }
      }
      return counts
    }
  }
}

extension RetrievalReport {
  /// Pictures found by captions and captions by pictures, over all pairs.
  ///
  /// - Parameters:
  ///   - pictures: unit vectors of the samples' pictures `[n, E]`, row by row.
  ///   - chosen: samples with a caption.
  ///   - encode: unit vectors of texts.
  public init(
    _ dataset: ImageTextDataset, pictures: [Float], chosen: [Int], bootstrap: Bootstrap?,
    _ encode: ([String]) -> [Float]
  ) {
    let width = pictures.count / max(1, dataset.samples.count)
    let samples = chosen.map { dataset.samples[$0] }
    let captions = samples.map { $0.caption ?? "" }
    var numbers: [String: Int] = [:]
    let groups = captions.map { caption -> Int in
      let next = numbers.count
      return numbers[caption]
        ?? {
          numbers[caption] = next; return next
        }()
    }
    self.init(
      count: chosen.count,
      metrics: BlockRetrieval.metrics(
        images: chosen.flatMap { pictures[$0 * width..<($0 + 1) * width] }, texts: encode(captions),
        width: width, groups: groups, labels: samples.map(\.labels),
        clusters: PredictionTable.clusters(of: samples.map(\.patient)), bootstrap: bootstrap))
  }
}
