import Foundation

/// How well scores tell samples that have a class from those that have not, at thresholds from 0 to 1.
///
/// - Shapes: `values` `[6, thresholds]`: true positives, false positives, true negatives, false negatives, precision
///   and recall, each over rising thresholds.
/// - Source: TensorBoard's plugin `pr_curves`; equal to `compute_curve` of `torch.utils.tensorboard`.
public struct PrecisionRecallSummary: Sendable, Equatable {
  /// Number of thresholds, as many as PyTorch's writer takes.
  public static let thresholdCount = 127
  /// The six rows.
  public private(set) var values: [Float] = []
  /// What was done to the scores; empty for nothing.
  public private(set) var note = ""

  /// Counts at each threshold.
  ///
  /// Scores that do not all lie in 0 … 1, such as cosines or logits, are stretched over it; `note` then says from where.
  ///
  /// - Returns: nil if there is no score, or one that is not finite.
  public init?(scores: [Float], isPositive: [Bool]) {
    precondition(
      scores.count == isPositive.count,
      "precision and recall: \(scores.count) scores, \(isPositive.count) labels")
    guard let low = scores.min(), let high = scores.max(), scores.allSatisfy(\.isFinite) else { return nil }
    let isStretched = low < 0 || high > 1
    let (start, width) = isStretched ? (Double(low), Double(high) - Double(low)) : (0, 1)
    if isStretched { note = "Thresholds from 0 to 1 stand for scores from \(low) to \(high)." }
    let top = Self.thresholdCount - 1
    var truths = [Double](repeating: 0, count: top + 1)
    var falsehoods = truths
    for (score, isPositive) in zip(scores, isPositive) {
      let place = width > 0 ? (Double(score) - start) / width : 0
      let bucket = Swift.min(top, Swift.max(0, Int((place * Double(top)).rounded(.down))))
      if isPositive { truths[bucket] += 1 } else { falsehoods[bucket] += 1 }
    }
    // From the highest threshold down: what lies at or above it.
    for bucket in (0..<top).reversed() {
      truths[bucket] += truths[bucket + 1]
      falsehoods[bucket] += falsehoods[bucket + 1]
    }
    let (positives, negatives) = (truths[0], falsehoods[0])
    let rows = [
      truths, falsehoods, falsehoods.map { negatives - $0 }, truths.map { positives - $0 },
      zip(truths, falsehoods).map { $0 / Swift.max(1e-7, $0 + $1) },
      truths.map { $0 / Swift.max(1e-7, positives) },
    ]
    values = rows.flatMap { $0.map(Float.init) }
  }

  /// The message `TensorProto`.
  var tensor: Data {
    let shape = ProtobufWriter.message { shape in
      for size in [6, Self.thresholdCount] {
        shape.message(2, ProtobufWriter.message { $0.integer(1, size) })
      }
    }
    return ProtobufWriter.message { tensor in
      tensor.integer(1, 1)  // DT_FLOAT
      tensor.message(2, shape)
      tensor.floats(5, values)
    }
  }

  /// The message `SummaryMetadata`.
  var metadata: Data {
    let settings = ProtobufWriter.message { $0.integer(2, Self.thresholdCount) }
    let plugin = ProtobufWriter.message { plugin in
      plugin.text(1, "pr_curves")
      plugin.message(2, settings)
    }
    return ProtobufWriter.message { metadata in
      metadata.message(1, plugin)
      metadata.text(3, note)
    }
  }
}
