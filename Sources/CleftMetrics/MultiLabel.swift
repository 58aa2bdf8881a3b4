import Foundation

/// Scores where a sample may have several classes, or none: each class is a question of its own.
public enum MultiLabel {
  /// What became of the samples under one class; a score above 0 says yes.
  public struct Counts: Codable, Sendable, Equatable {
    /// Samples with the class that were found, and that were missed.
    public var truePositive = 0, falseNegative = 0
    /// Samples without the class that were taken to have it, and that were not.
    public var falsePositive = 0, trueNegative = 0

    /// Nothing counted yet.
    public init() {}
  }

  /// Counts of each class.
  ///
  /// - Parameters:
  ///   - logits: a row a sample, a score a class.
  ///   - labels: the classes that each sample has.
  public static func counts(logits: [[Float]], labels: [[Int]], classCount: Int) -> [Counts] {
    var counts = [Counts](repeating: Counts(), count: classCount)
    for (row, own) in zip(logits, labels) {
      for index in 0..<classCount {
        switch (own.contains(index), row[index] > 0) {
        case (true, true): counts[index].truePositive += 1
        case (true, false): counts[index].falseNegative += 1
        case (false, true): counts[index].falsePositive += 1
        case (false, false): counts[index].trueNegative += 1
        }
      }
    }
    return counts
  }

  /// Share of samples and classes that were answered rightly, 0 … 1.
  public static func accuracy(_ counts: [Counts]) -> Double? {
    let all = counts.reduce(0) {
      $0 + $1.truePositive + $1.falseNegative + $1.falsePositive + $1.trueNegative
    }
    if all == 0 { return nil }
    return Double(counts.reduce(0) { $0 + $1.truePositive + $1.trueNegative }) / Double(all)
  }

  /// Sigmoid of each score.
  public static func probabilities(_ logits: [[Float]]) -> [[Float]] {
    logits.map { $0.map { Float(1 / (1 + exp(-Double($0)))) } }
  }
}
