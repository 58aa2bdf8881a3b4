import CleftData
import CleftMetrics

/// What one prompt set, or a classifier, makes of a test set.
public struct PromptScores: Codable, Sendable {
  /// Name of the prompt set; `classifier` for one.
  public var prompts: String
  /// Texts of each class, word for word as they were encoded; empty for a classifier.
  public var texts: [[String]]
  /// Texts that deny each class; nil where classes are compared with each other.
  public var negatives: [[String]]?
  /// Share of pictures whose best class is theirs, 0 … 1; where each class is a question of its own, share of questions
  /// rightly answered at even odds.
  public var accuracy: Double?
  /// Area under the ROC curve, mean over classes, of two classes that of the second one; nil if undefined.
  public var auc: Double?
  /// Row = true class, column = predicted class; nil where each class is a question of its own.
  public var confusion: [[Int]]?
  /// What became of the pictures under each class at even odds; nil where classes are compared with each other.
  public var counts: [MultiLabel.Counts]?
  /// Everything else.
  public var card: Scorecard

  /// Makes scores.
  public init(
    prompts: String, texts: [[String]], negatives: [[String]]?, card: Scorecard,
    counts: [MultiLabel.Counts]? = nil
  ) {
    (self.prompts, self.texts, self.negatives, self.card) = (prompts, texts, negatives, card)
    self.counts = counts
    accuracy = card.metric("accuracy")?.value
    auc = card.metric("auc")?.value
    confusion = card.confusion
  }
}

/// Numbers of two evaluations of the same pictures, on the same draws of patients.
public struct ComparisonReport: Codable, Sendable {
  /// The other evaluation: a path.
  public var other: String
  /// Pictures that both have.
  public var count: Int
  /// Each number here, there, and the difference.
  public var differences: [MetricDifference]

  /// Makes a report.
  public init(other: String, count: Int, differences: [MetricDifference]) {
    (self.other, self.count, self.differences) = (other, count, differences)
  }
}

/// Pictures and captions of a test set found by each other.
public struct RetrievalReport: Codable, Sendable {
  /// Pairs.
  public var count: Int
  /// Recalls at 1, 5, 10 in both directions, label-aware precisions.
  public var metrics: [MetricValue]

  /// Makes a report.
  public init(count: Int, metrics: [MetricValue]) { (self.count, self.metrics) = (count, metrics) }
}

/// Everything an evaluation found; what `metrics.json` holds.
public struct EvaluationReport: Codable, Sendable {
  /// Name of the dataset, and its table.
  public var dataset, table: String
  /// Pictures scored.
  public var count: Int
  /// Classes in order.
  public var classNames: [String]
  /// What was asked of each picture.
  public var question: PredictionTable.Question
  /// Scores of each prompt set, the headline's first.
  public var scores: [PromptScores]
  /// Where thresholds and temperature were chosen, or why there are none.
  public var validation: String
  /// Pictures by captions and captions by pictures; nil without captions.
  public var retrieval: RetrievalReport?
  /// Beside another evaluation; nil without one.
  public var comparison: ComparisonReport?
  /// Rows that could not be used and are not among the pictures.
  public var skipped: [BadRow]
  /// What a reader should know, one line each.
  public var notes: [String]
  /// What the numbers rest on: model, weights, split hashes, options, machine, versions; in order.
  public var provenance: [Provenance]

  /// A fact about where numbers come from.
  public struct Provenance: Codable, Sendable, Equatable {
    /// Which part: `model`, `data`, `options`, `machine`.
    public var part: String
    /// Name and value.
    public var name, value: String

    /// Makes a fact.
    public init(_ part: String, _ name: String, _ value: String) {
      (self.part, self.name, self.value) = (part, name, value)
    }
  }

  /// Makes a report; the rest is set on the value.
  public init(
    dataset: ImageTextDataset, question: PredictionTable.Question, scores: [PromptScores], validation: String
  ) {
    self.dataset = dataset.name
    table = dataset.table
    count = dataset.samples.count
    classNames = dataset.classNames
    self.question = question
    self.scores = scores
    self.validation = validation
    skipped = dataset.badRows
    notes = []
    provenance = []
  }
}
