import Foundation

/// What a model said of every sample of a set, and what is true of it.
///
/// Every metric, curve and interval is computed from such a table.
public struct PredictionTable: Sendable {
  /// What was asked of a sample.
  public enum Question: String, Codable, Sendable, CaseIterable {
    /// Which one of the classes it has: probabilities are a softmax over all of them.
    case oneOf = "one_of"
    /// Of each class by itself whether it has it: probabilities are sigmoids.
    case each
  }

  /// Classes, in the order of the columns.
  public var classNames: [String]
  /// What was asked.
  public var question: Question
  /// Arguments of the softmax or the sigmoids `[n, K]`, row by row.
  public var logits: [Double]
  /// Classes that each sample has, ascending; exactly one under `oneOf`.
  public var labels: [[Int]]
  /// Classes of which nobody knows whether a sample has them; it does not count for these.
  ///
  /// Empty where all is known.
  public var unknown: [[Int]]
  /// Whom each sample is of, 0 ..< `clusterCount`: samples of one patient are drawn together.
  public var clusters: [Int]

  /// Makes a table; without `clusters` every sample is of somebody else.
  public init(
    classNames: [String], question: Question, logits: [Double], labels: [[Int]], unknown: [[Int]] = [],
    clusters: [Int]? = nil
  ) {
    precondition(
      logits.count == labels.count * classNames.count,
      "predictions: \(logits.count) logits for \(labels.count) samples of \(classNames.count) classes")
    self.classNames = classNames
    self.question = question
    self.logits = logits
    self.labels = labels
    self.unknown = unknown
    self.clusters = clusters ?? Array(labels.indices)
  }

  /// Samples `n`.
  public var count: Int { labels.count }

  /// Classes `K`.
  public var classCount: Int { classNames.count }

  /// Numbers from 0 that `clusters` counts up to.
  public var clusterCount: Int { (clusters.max() ?? -1) + 1 }

  /// Numbers for `clusters` from names; samples without one are of somebody else each.
  public static func clusters(of names: [String?]) -> [Int] {
    var numbers: [String: Int] = [:]
    var next = 0
    return names.map { name in
      if let name, let known = numbers[name] { return known }
      defer { next += 1 }
      if let name { numbers[name] = next }
      return next
    }
  }

  /// Probabilities `[n, K]`, row by row, of the logits divided by `temperature`.
  public func probabilities(temperature: Double = 1) -> [Double] {
    guard question == .oneOf else {
      return logits.map { 1 / (1 + exp(-$0 / temperature)) }
    }
    return Softmax.rows(logits, width: classCount, temperature: temperature)
  }

  /// Some of the samples, in the order given.
  public func rows(_ chosen: [Int]) -> PredictionTable {
    PredictionTable(
      classNames: classNames, question: question,
      logits: chosen.flatMap { logits[$0 * classCount..<($0 + 1) * classCount] },
      labels: chosen.map { labels[$0] }, unknown: unknown.isEmpty ? [] : chosen.map { unknown[$0] },
      clusters: chosen.map { clusters[$0] })
  }
}
