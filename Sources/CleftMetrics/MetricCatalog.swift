/// The numbers that are computed of a table of predictions, those that matter most first.
///
/// Each matches scikit-learn's function of the same name, except that what is undefined is nil here and not 0, and that
/// a mean over classes leaves out those for which it is undefined, as the AUC is for a class that no sample has.
///
/// - Source: scikit-learn 1.9 `accuracy_score`, `balanced_accuracy_score`, `roc_auc_score` (`multi_class="ovr"`),
///   `average_precision_score`, `log_loss`, `brier_score_loss`, `f1_score` (`average="macro"`) and
///   `top_k_accuracy_score`, in which the last of equal scores wins and not the first.
public enum MetricCatalog {
  /// One number.
  public struct Entry: Sendable {
    /// Name in files, and for people.
    public let name, title: String
    /// What must have been asked.
    public let questions: Set<PredictionTable.Question>
    /// Classes that there must be.
    public let leastClassCount: Int
    /// Classes that it is the mean of; at most 1 where it is none, or says so in its title.
    public let averagedCount: @Sendable (PredictionTable) -> Int
    /// What guessing without looking would give; nil where there is no such number.
    public let chance: @Sendable (PredictionTable) -> Double?
    /// The largest value it can have; nil where there is none.
    let largest: @Sendable (PredictionTable) -> Double?
    /// What to know of it when reading it.
    let note: @Sendable (PredictionTable) -> String?
    /// The number, with a weight for each sample of the table or all alike; nil where it is undefined.
    public let value: @Sendable (_ scored: ScoredTable, _ weights: [Double]?) -> Double?
    /// The numbers that it is the mean of, nil where a class has none; nil where it is no mean over classes.
    let ofClasses: (@Sendable (_ scored: ScoredTable, _ weights: [Double]?) -> [Double?])?

    init(
      _ name: String, _ title: String, questions: Set<PredictionTable.Question> = [.oneOf, .each],
      leastClassCount: Int = 1, largest: @escaping @Sendable (PredictionTable) -> Double? = { _ in 1 },
      note: @escaping @Sendable (PredictionTable) -> String? = { _ in nil },
      chance: @escaping @Sendable (PredictionTable) -> Double?,
      value: @escaping @Sendable (_ scored: ScoredTable, _ weights: [Double]?) -> Double?
    ) {
      (self.name, self.title, self.questions, self.leastClassCount) = (
        name, title, questions, leastClassCount
      )
      (self.largest, self.note, self.chance) = (largest, note, chance)
      (averagedCount, ofClasses) = ({ _ in 1 }, nil)
      self.value = { scored, weights in
        Self.applies(questions, leastClassCount, scored.table) ? value(scored, weights) : nil
      }
    }

    /// A mean over classes, of those that have a number.
    init(
      _ name: String, _ title: String, questions: Set<PredictionTable.Question> = [.oneOf, .each],
      averagedCount: @escaping @Sendable (PredictionTable) -> Int,
      chance: @escaping @Sendable (PredictionTable) -> Double?,
      ofClasses: @escaping @Sendable (_ scored: ScoredTable, _ weights: [Double]?) -> [Double?]
    ) {
      (self.name, self.title, self.questions, leastClassCount) = (name, title, questions, 1)
      (largest, note, self.chance) = ({ _ in 1 }, { _ in nil }, chance)
      (self.averagedCount, self.ofClasses) = (averagedCount, ofClasses)
      value = { scored, weights in
        Self.applies(questions, 1, scored.table) ? MetricCatalog.mean(ofClasses(scored, weights)) : nil
      }
    }

    /// Whether it says anything about such a table; its value is nil where it does not.
    public func applies(to table: PredictionTable) -> Bool {
      Self.applies(questions, leastClassCount, table)
    }

    /// Name for people that says of what it is the mean: `AUC, mean over classes`.
    public func title(for table: PredictionTable) -> String {
      averagedCount(table) > 1 ? "\(title), mean over classes" : title
    }

    private static func applies(
      _ questions: Set<PredictionTable.Question>, _ leastClassCount: Int, _ table: PredictionTable
    ) -> Bool {
      questions.contains(table.question) && table.classCount >= leastClassCount
    }
  }

  /// All numbers.
  public static let all: [Entry] = [
    accuracy, balancedAccuracy, auc, averagePrecision, logLoss, brier, f1, topTwoAccuracy,
  ]

  /// The numbers that say anything about such a table.
  public static func entries(for table: PredictionTable) -> [Entry] { all.filter { $0.applies(to: table) } }

  /// A number by name.
  package static func entry(_ name: String) -> Entry? { all.first { $0.name == name } }
}
