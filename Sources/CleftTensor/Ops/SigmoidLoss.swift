/// Sigmoid loss of matched pairs: every pair of an image and a caption is asked by itself whether it is a match.
///
/// `-1/B · Σᵢⱼ log σ(zᵢⱼ · (exp(logitScale)·uᵢ·vⱼ + logitBias))` with `zᵢⱼ` 1 for a match and -1 otherwise.
///
/// - Parameter groups: one number a pair; pairs of one number match each other too. Nil: none do.
/// - Shapes: `images` `[B, E]` and `texts` `[B, E]`, rows of length 1; `logitScale`, `logitBias` scalars.
/// - Saves: both inputs, the cosines, and the gradient in the scores.
/// - Source: Zhai et al. 2023, arXiv 2303.15343, algorithm 1.
public func sigmoidLoss(
  images: Tensor, texts: Tensor, logitScale: Tensor, logitBias: Tensor, groups: [Int]? = nil
) -> ContrastiveResult {
  precondition(images.shape == texts.shape, "sigmoidLoss: [\(images.shape)] and [\(texts.shape)]")
  let batch = images.shape[0]
  let targets = Tensor([batch, batch])
  targets.withMutablePointer { y in
    for (i, matches) in matches(groups, count: batch).enumerated() {
      for j in matches { y[i * batch + j] = 1 }
    }
  }
  let scores = scaledScores(images, texts, logitScale: logitScale, logitBias: logitBias)
  return ContrastiveResult(
    loss: binaryCrossEntropy(scores, targets, divisor: batch), logits: scores.detached)
}

/// For each of `count` pairs the pairs that it matches, itself among them, in order.
func matches(_ groups: [Int]?, count: Int) -> [[Int]] {
  guard let groups else { return (0..<count).map { [$0] } }
  precondition(groups.count == count, "matches: \(groups.count) groups for \(count) pairs")
  let members = Dictionary(grouping: groups.indices) { groups[$0] }
  return groups.map { members[$0] ?? [] }
}
