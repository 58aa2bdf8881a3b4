import Foundation

/// Mean over rows of the negative log-probability of each row's target.
///
/// - Shapes: `logits` `[B, K]`, `targets` `B` class numbers → scalar, in nats.
/// - Saves: the probabilities.
/// - Numerics: log-sum-exp in Double.
public func crossEntropy(_ logits: Tensor, _ targets: [Int]) -> Tensor {
  let (rows, width) = (logits.shape.rows, logits.shape.last)
  precondition(
    targets.count == rows && targets.allSatisfy { $0 >= 0 && $0 < width },
    "crossEntropy: [\(logits.shape)], \(targets)")
  let probabilities = logits.copied()
  var total = 0.0
  probabilities.withMutablePointer { p in
    for row in 0..<rows {
      total += Kernels.negativeLogLikelihood(p + row * width, count: width, target: targets[row])
    }
  }
  return Tensor([], [Float(total / Double(rows))]).recorded([logits.node]) { gradient, sink in
    let out = probabilities.copied()
    let factor = gradient.item / Float(rows)
    out.withMutablePointer { d in
      for row in 0..<rows { d[row * width + targets[row]] -= 1 }
      Kernels.scale(d, by: factor, into: d, count: rows * width)
    }
    sink.add(0, out)
  }
}

/// What the contrastive loss returns.
public struct ContrastiveResult {
  /// Scalar loss in nats.
  public let loss: Tensor
  /// Scaled cosine scores `[B, B]`; row = image, column = caption.
  ///
  /// Not tracked.
  public let logits: Tensor
}

/// Symmetric contrastive loss of matched pairs.
///
/// `CE(S, rows) + CE(Sᵀ, rows)` with `S = u·vᵀ·exp(logitScale)`. CLEFT sums the two directions, CLIP averages them.
/// Where several pairs match each other, the target of a row is spread evenly over them.
///
/// - Parameter groups: one number a pair; pairs of one number match each other too. Nil, as published: none do.
/// - Shapes: `images` `[B, E]` and `texts` `[B, E]`, rows of length 1; `logitScale` scalar.
/// - Saves: both inputs and the gradient in `S`.
/// - Source: Radford et al. 2021, arXiv 2103.00020, figure 3; several matches: Khosla et al. 2020, arXiv 2004.11362,
///   and Yang et al. 2022, arXiv 2204.03610.
public func contrastiveLoss(
  images: Tensor, texts: Tensor, logitScale: Tensor, groups: [Int]? = nil
) -> ContrastiveResult {
  precondition(images.shape == texts.shape, "contrastiveLoss: [\(images.shape)] and [\(texts.shape)]")
  let (batch, width) = (images.shape[0], images.shape[1])
  let cosines = Tensor(uninitialized: [batch, batch])
  with(images, texts, cosines) { u, v, s in
    Kernels.matmul(
      Operand(u, rowStride: width), Operand(v, rowStride: width, transposed: true), into: s, rowStride: batch,
      m: batch, n: batch, k: width, beta: 0)
  }
  let scale = exp(logitScale.item)
  let logits = Tensor(uninitialized: [batch, batch])
  with(cosines, logits) { Kernels.scale($0, by: scale, into: $1, count: batch * batch) }

  // slope = (softmax over rows + softmax over columns - 2·targets) / B, the gradient of the loss in S.
  let byRow = logits.copied()
  let byColumn = Tensor(uninitialized: [batch, batch])
  let matches = matches(groups, count: batch)
  var total = 0.0
  with(logits, byRow, byColumn) { s, rows, columns in
    for i in 0..<batch { for j in 0..<batch { columns[j * batch + i] = s[i * batch + j] } }
    for i in 0..<batch {
      for side in [rows + i * batch, columns + i * batch] {
        let score = matches[i].reduce(0) { $0 + Double(side[$1]) } / Double(matches[i].count)
        total += Kernels.probabilities(side, count: batch) - score
      }
    }
    for i in 0..<batch {
      let row = rows + i * batch
      for j in 0..<batch { row[j] += columns[j * batch + i] }
      for j in matches[i] { row[j] -= 2 / Float(matches[i].count) }
      for j in 0..<batch { row[j] /= Float(batch) }
    }
  }
  let slope = byRow
  let (u, v) = (images.detached, texts.detached)
  let loss = Tensor([], [Float(total / Double(batch))])
  let recorded = loss.recorded([images.node, texts.node, logitScale.node]) { gradient, sink in
    let factor = gradient.item * scale
    for (input, other, transposed) in [(0, v, false), (1, u, true)] where sink.wants(input) {
      sink.accumulate(input, [batch, width]) { target, beta in
        with(slope, other) { s, other in
          Kernels.matmul(
            Operand(s, rowStride: batch, transposed: transposed), Operand(other, rowStride: width),
            into: target,
            rowStride: width, m: batch, n: width, k: batch, alpha: factor, beta: beta)
        }
      }
    }
    if sink.wants(2) {
      let along = with(slope, cosines) { Kernels.longDot($0, $1, count: batch * batch) }
      sink.add(2, Tensor([], [Float(along) * factor]))
    }
  }
  return ContrastiveResult(loss: recorded, logits: logits)
}
