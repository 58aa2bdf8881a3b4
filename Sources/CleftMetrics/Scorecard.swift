/// One number about a table of predictions, with what is needed to judge it.
public struct MetricValue: Codable, Sendable, Equatable {
  /// Name in files: `auc`.
  public var name: String
  /// Name for people: `AUC, mean over classes`.
  public var title: String
  /// The number; nil where it is undefined.
  public var value: Double?
  /// 95 % interval over resampled patients; nil where none was computed or the value is undefined.
  public var interval: Interval?
  /// What guessing would give; nil where there is no such number.
  public var chance: Double?
  /// Why it is undefined, or what is odd about it.
  public var note: String?

  /// Makes a value.
  public init(
    name: String, title: String, value: Double?, interval: Interval? = nil, chance: Double? = nil,
    note: String? = nil
  ) {
    self.name = name
    self.title = title
    self.value = value
    self.interval = interval
    self.chance = chance
    self.note = note
  }
}

/// From a lower to an upper bound.
public struct Interval: Codable, Sendable, Equatable {
  /// Bounds.
  public var lower, upper: Double

  /// Makes an interval.
  public init(_ lower: Double, _ upper: Double) { (self.lower, self.upper) = (lower, upper) }
}

/// A point of a curve.
public struct CurvePoint: Codable, Sendable, Equatable {
  /// Place: share of false positives of a ROC curve, recall of a precision–recall curve.
  public var x: Double
  /// Value: share of true positives, precision.
  public var y: Double

  /// Makes a point.
  public init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }
}

/// A threshold on a class's probability that was chosen on validation samples, and what it gives on the test set.
public struct ThresholdCard: Codable, Sendable, Equatable {
  /// How it was chosen: `f1` or `youden`.
  public var rule: String
  /// A probability of at least this much counts as yes.
  public var threshold: Double
  /// What the rule makes largest, on the validation samples.
  public var validationValue: Double
  /// Sensitivity, specificity, precision and F1 on the test set.
  public var metrics: [MetricValue]

  /// Makes a card.
  public init(rule: String, threshold: Double, validationValue: Double, metrics: [MetricValue]) {
    (self.rule, self.threshold, self.validationValue) = (rule, threshold, validationValue)
    self.metrics = metrics
  }
}

/// What can be said of one class against the rest.
public struct ClassCard: Codable, Sendable, Equatable {
  /// The class.
  public var name: String
  /// Samples with it, without it, and of which nobody knows.
  public var positiveCount, negativeCount, unknownCount: Int
  /// AUC and average precision.
  public var metrics: [MetricValue]
  /// ROC curve, from (0, 0) to (1, 1); empty if undefined.
  public var roc: [CurvePoint]
  /// Precision over recall, by falling threshold; empty if undefined.
  public var precisionRecall: [CurvePoint]
  /// Thresholds chosen on validation samples; empty without any.
  public var thresholds: [ThresholdCard]

  /// Makes a card.
  public init(
    name: String, positiveCount: Int, negativeCount: Int, unknownCount: Int, metrics: [MetricValue],
    roc: [CurvePoint], precisionRecall: [CurvePoint], thresholds: [ThresholdCard]
  ) {
    self.name = name
    (self.positiveCount, self.negativeCount, self.unknownCount) = (positiveCount, negativeCount, unknownCount)
    self.metrics = metrics
    (self.roc, self.precisionRecall) = (roc, precisionRecall)
    self.thresholds = thresholds
  }
}

/// Samples whose probability lies in one stretch.
public struct ReliabilityBin: Codable, Sendable, Equatable {
  /// Ends of the stretch.
  public var lower, upper: Double
  /// Samples in it.
  public var count: Int
  /// Their mean probability, and the share of them for which it came true.
  public var meanProbability, observedShare: Double

  /// Makes a bin.
  public init(lower: Double, upper: Double, count: Int, meanProbability: Double, observedShare: Double) {
    (self.lower, self.upper, self.count) = (lower, upper, count)
    (self.meanProbability, self.observedShare) = (meanProbability, observedShare)
  }
}

/// How far probabilities can be taken at their word.
public struct CalibrationCard: Codable, Sendable, Equatable {
  /// Bins of the probabilities as they are, empty ones left out.
  public var bins: [ReliabilityBin]
  /// The temperature that makes the validation samples' log-loss least; nil without any.
  public var temperature: Double?
  /// Bins of the probabilities at that temperature.
  public var scaledBins: [ReliabilityBin]
  /// Expected calibration error and log-loss, as they are and (`…_scaled`) at that temperature.
  public var metrics: [MetricValue]

  /// Makes a card.
  public init(
    bins: [ReliabilityBin], temperature: Double?, scaledBins: [ReliabilityBin], metrics: [MetricValue]
  ) {
    (self.bins, self.temperature, self.scaledBins, self.metrics) = (bins, temperature, scaledBins, metrics)
  }
}

/// The main numbers of some of the samples.
public struct SubgroupCard: Codable, Sendable, Equatable {
  /// What the samples are told apart by: `sex`, `age`, `view`.
  public var trait: String
  /// Value of the trait: `F`, `60–79`.
  public var value: String
  /// Samples.
  public var count: Int
  /// Their numbers.
  public var metrics: [MetricValue]

  /// Makes a card.
  public init(trait: String, value: String, count: Int, metrics: [MetricValue]) {
    (self.trait, self.value, self.count, self.metrics) = (trait, value, count, metrics)
  }
}

/// Everything that is said of one table of predictions.
public struct Scorecard: Codable, Sendable, Equatable {
  /// Samples, and the patients they are of.
  public var count, clusterCount: Int
  /// Numbers of the whole table, those that matter most first.
  public var metrics: [MetricValue]
  /// Row = true class, column = predicted class; nil where each class is a question of its own.
  public var confusion: [[Int]]?
  /// Each class against the rest.
  public var classes: [ClassCard]
  /// Reliability of the probabilities.
  public var calibration: CalibrationCard
  /// Numbers of parts of the samples.
  public var subgroups: [SubgroupCard]
  /// What is odd, such as an AUC below 0.3 or a class without samples.
  public var warnings: [String]

  /// Makes a card.
  public init(
    count: Int, clusterCount: Int, metrics: [MetricValue], confusion: [[Int]]?, classes: [ClassCard],
    calibration: CalibrationCard, subgroups: [SubgroupCard], warnings: [String]
  ) {
    (self.count, self.clusterCount, self.metrics, self.confusion) = (count, clusterCount, metrics, confusion)
    (self.classes, self.calibration, self.subgroups) = (classes, calibration, subgroups)
    self.warnings = warnings
  }

  /// A number of the whole table by name.
  public func metric(_ name: String) -> MetricValue? { metrics.first { $0.name == name } }
}
