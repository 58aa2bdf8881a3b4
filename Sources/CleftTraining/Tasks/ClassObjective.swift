import CleftData
import CleftFormats
import CleftMetrics
import CleftTensor

/// What a task that tells classes apart makes smaller, and what it reports of a batch.
///
/// Either a sample has one class, the first of its labels, and a softmax chooses among all; or it has any number, and each
/// class is a sigmoid of its own.
/// - Source: Irvin et al. 2019, arXiv 1901.07031, §3 for several labels at once.
public struct ClassObjective: Sendable {
  /// Names of the classes, in the order of the first scores.
  public var classNames: [String]
  /// Whether a sample may have several classes, or none.
  public var isMultiLabel: Bool
  /// Whether top-2 accuracy goes by the published program's name for it too, `acc5`.
  public var hasPublishedNames: Bool

  /// Makes an objective.
  public init(classNames: [String], isMultiLabel: Bool = false, hasPublishedNames: Bool = false) {
    self.classNames = classNames
    self.isMultiLabel = isMultiLabel
    self.hasPublishedNames = hasPublishedNames
  }

  /// Fails without classes to tell apart.
  ///
  /// - Parameter place: where they come from, for the message.
  public func requireClasses(_ place: String) throws(TrainingError) {
    guard classNames.count < (isMultiLabel ? 1 : 2) else { return }
    throw .badConfiguration(
      Problem(
        place, found: classNames.first.map { "one class, '\($0)'" } ?? "no classes",
        expected: isMultiLabel ? "at least one" : "at least two to tell apart",
        hint: classNames.isEmpty
          ? "Name them with --label_columns or --class_column." : "--multi_label_loss learns a single one."))
  }

  /// What a user should know of the labels of training samples, one line each.
  public func notes(_ samples: [Sample]) -> [String] {
    var counts = [Int](repeating: 0, count: classNames.count)
    for sample in samples {
      for label in isMultiLabel ? sample.labels : [sample.firstLabel] { counts[label] += 1 }
    }
    let absent = classNames.indices.filter { counts[$0] == 0 }.map { "'\(classNames[$0])'" }
    let none = absent.isEmpty ? [] : ["no training picture has the class \(absent.joined(separator: ", "))."]
    let bare = isMultiLabel ? 0 : samples.count { $0.labels.isEmpty }
    return none
      + (bare > 0 ? ["\(bare) training pictures without any class count as '\(classNames[0])'."] : [])
  }

  /// Loss and metrics of samples with their scores `[B, outputs]`, at least as many outputs as classes.
  func result(_ logits: Tensor, _ samples: [Sample]) -> TaskResult {
    let rows = classRows(logits)
    if isMultiLabel {
      let loss = binaryCrossEntropy(logits, targets(samples, outputCount: logits.shape.last))
      let counts = MultiLabel.counts(
        logits: rows, labels: samples.map(\.labels), classCount: classNames.count)
      return TaskResult(
        loss: loss, metrics: ["loss": Double(loss.item), "acc": 100 * (MultiLabel.accuracy(counts) ?? 0)],
        classScores: classScores(rows, samples))
    }
    let labels = samples.map(\.firstLabel)
    let loss = crossEntropy(logits, labels)
    func accuracy(_ k: Int) -> Double {
      100 * (Classification.accuracy(scores: rows, labels: labels, k: k) ?? 0)
    }
    var metrics = ["loss": Double(loss.item), "acc1": accuracy(1), "acc2": accuracy(2)]
    if hasPublishedNames { metrics["acc5"] = metrics["acc2"] }
    return TaskResult(loss: loss, metrics: metrics, classScores: classScores(rows, samples))
  }

  /// What the loss compares scores with: the number of the class, or 1 and 0 for each class.
  func inputs(_ samples: [Sample]) -> TraceInputs {
    TraceInputs(integers: [
      "labels": samples.map { sample in
        isMultiLabel
          ? classNames.indices.map { sample.labels.contains($0) ? 1 : 0 } : [sample.firstLabel]
      }
    ])
  }

  /// Scores of the classes alone, a row a sample.
  func classRows(_ logits: Tensor) -> [[Float]] {
    let (values, width) = (logits.array, logits.shape.last)
    return (0..<logits.shape.rows).map { Array(values[$0 * width..<$0 * width + classNames.count]) }
  }

  /// Probabilities of each class: of a softmax over the classes, or of a sigmoid each.
  func probabilities(_ rows: [[Float]]) -> [[Float]] {
    isMultiLabel ? MultiLabel.probabilities(rows) : Classification.probabilities(rows)
  }

  private func targets(_ samples: [Sample], outputCount: Int) -> Tensor {
    let targets = Tensor([samples.count, outputCount])
    targets.withMutablePointer { values in
      for (row, sample) in samples.enumerated() {
        for label in sample.labels { values[row * outputCount + label] = 1 }
      }
    }
    return targets
  }

  private func classScores(_ rows: [[Float]], _ samples: [Sample]) -> [ClassScores] {
    let probabilities = probabilities(rows)
    return classNames.enumerated().map { index, name in
      ClassScores(
        name: name, scores: probabilities.map { $0[index] },
        isPositive: samples.map { isMultiLabel ? $0.labels.contains(index) : $0.firstLabel == index })
    }
  }
}
