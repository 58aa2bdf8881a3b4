import CleftMetrics

/// What linear probes of a model's features found.
public struct ProbeReport: Codable, Sendable {
  /// One draw of training pictures.
  public struct Draw: Codable, Sendable {
    /// Pictures learned from, and the patients they are of.
    public let pictures, patients: Int
    /// Pictures of each class among them, in class order.
    public let classCounts: [Int]
    /// How the strength of the penalty was chosen.
    public let choice: StrengthChoice
    /// Whether the minimum was reached.
    public let isConverged: Bool
    /// Features that are the same in all pictures and stay out.
    public let droppedFeatures: Int
    /// Classes of which the pictures say nothing.
    public let unlearnable: [String]
  }

  /// One method on one share of the training pictures.
  public struct Row: Codable, Sendable {
    /// Name of the share: `10 %`, `4-shot`.
    public let share: String
    /// The share of the patients; nil for shots.
    public let fraction: Double?
    /// Pictures a class; nil for shares.
    public let shots: Int?
    /// What was made least.
    public let method: ProbeMethod
    /// The draws, one where there is only one such share.
    public let draws: [Draw]
    /// Numbers on the test set, of each draw and their mean.
    public let metrics: [ProbeMetric]

    /// A number by name.
    public func metric(_ name: String) -> ProbeMetric? { metrics.first { $0.name == name } }
  }

  /// A split that was read.
  public struct Part: Codable, Sendable {
    /// Which one.
    public let split: String
    /// Its table.
    public let table: String
    /// Pictures, and the patients they are of.
    public let pictures, patients: Int
    /// Pictures of each class, in class order.
    public let classCounts: [Int]
  }

  /// The model: a path; and what is taken of it, `backbone` or `embedding`.
  public var model, feature: String
  /// Numbers of a picture.
  public var width: Int
  /// Name of the test set.
  public var dataset: String
  /// Classes in order.
  public var classNames: [String]
  /// What was asked of each picture.
  public var question: PredictionTable.Question
  /// Seed of the draws.
  public var seed: UInt64
  /// Draws of patients for intervals; 0 for none.
  public var bootstrapDraws: Int
  /// The splits.
  public var parts: [Part]
  /// Shares by size, methods in the order asked for.
  public var rows: [Row]
  /// What a reader should know, one line each.
  public var notes: [String]
}
