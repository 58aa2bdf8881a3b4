import CleftModels
import CleftNN
import CleftTensor

extension PictureMaps {
  /// Copies of a picture, one a prompt, that go through the tower at once.
  private static let copies = 8

  /// Attention rollout for a prompt: from the tokens that the picture's vector is taken from, back through all blocks.
  ///
  /// In each block half of a token stays where it is, as in the residual sum, and half goes to the keys by the probabilities
  /// of attention times their gradients in the prompt's log-odds: summed over heads, the positive part, rows scaled to 1. A
  /// token whose attention does nothing for the prompt stays as a whole. The values of all tokens sum to 1.
  ///
  /// Deliberate departures: Abnar and Zuidema take the mean of the heads and no prompt; Chefer et al. take the positive part
  /// before the heads are summed and do not scale rows, so that the last blocks outweigh the residual sum less.
  ///
  /// - Source: Abnar and Zuidema 2020, arXiv 2005.00928; Chefer et al. 2021, arXiv 2103.15679.
  func rollout(_ image: Tensor, of chosen: [Int]) -> [PictureMap]? {
    withFrozenTower {
      var maps: [PictureMap] = []
      for start in stride(from: 0, to: chosen.count, by: Self.copies) {
        let prompts = chosen[start..<min(start + Self.copies, chosen.count)]
        guard let part = rollout(image, prompts) else { return nil }
        maps += part
      }
      return maps
    }
  }

  private func rollout(_ image: Tensor, _ prompts: ArraySlice<Int>) -> [PictureMap]? {
    var context = ForwardContext.evaluation
    let taps = Taps(watchesAttention: true)
    context.taps = taps
    let copies = stackedRows([Tensor](repeating: image, count: prompts.count))
    guard let seen = encoder.image.inspect(copies, context) else { return nil }
    let embedding = encoder.image.embedding(seen.feature, .evaluation)
    precondition(embedding.isTracked, "rollout: called while the tape is off")
    let directions = oddsGradients(Self.rows(embedding)[0])
    let known = Tensor(embedding.shape, prompts.flatMap { directions[$0] })
    let gradients = gradients(of: [embedding], [known])
    return (0..<prompts.count).map { copy in
      var shares = [Float](repeating: 0, count: seen.tokenCount)
      for token in seen.pooled { shares[token] = 1 / Float(seen.pooled.count) }
      for attention in taps.attention.reversed() {
        // An attention that the vector does not depend on moves nothing.
        guard let gradient = gradients[attention.leaf] else { continue }
        let relevance = attention.relevance(image: copy, of: prompts.count, gradient: gradient)
        shares = Self.moved(shares, by: relevance)
      }
      return PictureMap(rows: seen.rows, columns: seen.columns, values: Array(shares[seen.patches]))
    }
  }

  /// Shares of the tokens in front of a block, from those behind it and the relevance of its attention `[T, T]`.
  package static func moved(_ shares: [Float], by relevance: Tensor) -> [Float] {
    var result = [Float](repeating: 0, count: shares.count)
    relevance.read { relevance in
      for (row, share) in shares.enumerated() {
        let line = relevance + row * shares.count
        var sum: Float = 0
        for i in shares.indices { sum += max(0, line[i]) }
        guard sum > 0 else {
          result[row] += share
          continue
        }
        result[row] += share / 2
        for i in shares.indices { result[i] += share / 2 * (max(0, line[i]) / sum) }
      }
    }
    return result
  }

  /// Runs `body` while no parameter asks for gradients and no block is computed again.
  private func withFrozenTower<Result>(_ body: () -> Result) -> Result {
    let trained = encoder.image.parameters.map(\.cell).filter(\.isTrainable)
    let recomputes = encoder.image.model.recomputesBlocks
    trained.forEach { $0.isTrainable = false }
    encoder.image.model.recomputesBlocks = false
    defer {
      trained.forEach { $0.isTrainable = true }
      encoder.image.model.recomputesBlocks = recomputes
    }
    return body()
  }
}
