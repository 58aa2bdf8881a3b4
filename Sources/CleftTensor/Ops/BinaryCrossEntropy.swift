/// Cross-entropy of a sigmoid for each score with a target from 0 to 1.
///
/// `Σ (log(1 + eˣ) - x·y) / divisor`
///
/// - Parameter divisor: nil takes the mean over all elements.
/// - Shapes: `scores` and `targets` of one shape → scalar, in nats.
/// - Saves: the gradient in the scores.
/// - Numerics: in Double, without overflow or cancellation.
/// - Source: matches `torch.nn.BCEWithLogitsLoss`.
public func binaryCrossEntropy(_ scores: Tensor, _ targets: Tensor, divisor: Int? = nil) -> Tensor {
  precondition(
    scores.shape == targets.shape && scores.count > 0,
    "binaryCrossEntropy: [\(scores.shape)], [\(targets.shape)]")
  let count = divisor ?? scores.count
  let slope = Tensor(uninitialized: scores.shape)
  let total = with(scores, targets, slope) {
    Kernels.binaryCrossEntropy($0, targets: $1, slope: $2, count: slope.count)
  }
  return Tensor([], [Float(total / Double(count))]).recorded([scores.node]) { gradient, sink in
    let out = Tensor(uninitialized: slope.shape)
    let factor = gradient.item / Float(count)
    with(slope, out) { Kernels.scale($0, by: factor, into: $1, count: slope.count) }
    sink.add(0, out)
  }
}
