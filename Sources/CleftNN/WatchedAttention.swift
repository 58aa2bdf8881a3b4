import CleftTensor
import Foundation

/// What one attention was computed from, to look at its probabilities afterwards.
///
/// The attention itself never stores them; here they are made again for one image at a time.
public struct WatchedAttention {
  /// Queries, keys and values side by side, head-major within each `[B·T, 3·C]`, cut off from the tape.
  public let packed: Tensor
  /// Number of heads `H`.
  public let headCount: Int
  /// Factor on the products of queries and keys.
  public let scale: Float
  /// Place in the tape whose gradient is that of the attention's result `[B·T, C]`.
  public let leaf: Node

  /// Which part of the packed rows.
  private enum Part: Int { case query, key, value }

  private var width: Int { packed.shape.last / 3 }

  /// Probabilities of one image, for each head `[T, T]`, row = query, column = key; rows sum to 1.
  public func probabilities(image: Int, of count: Int) -> [Tensor] {
    (0..<headCount).map { probabilities(rows(image, count), head: $0) }
  }

  /// How much more each query would have said for a score had it looked more at each key: probabilities times their
  /// gradients, summed over heads.
  ///
  /// The gradient of a probability is the product of the result's gradient at the query with the value at the key.
  /// - Shapes: `gradient` `[B·T, C]`, that of `leaf`, → `[T, T]`.
  public func relevance(image: Int, of count: Int, gradient: Tensor) -> Tensor {
    let rows = rows(image, count)
    let size = width / headCount
    let sum = Tensor([rows.count, rows.count])
    for head in 0..<headCount {
      let from = columns(gradient, rows, first: head * size, count: size)
      let slopes = matmul(from, part(.value, rows, head), transposingB: true)
      let shares = probabilities(rows, head: head)
      sum.withMutablePointer { sum in
        slopes.read { slopes in
          shares.read { shares in
            for i in 0..<rows.count * rows.count { sum[i] += shares[i] * slopes[i] }
          }
        }
      }
    }
    return sum
  }

  private func rows(_ image: Int, _ count: Int) -> Range<Int> {
    let length = packed.shape.rows / count
    return image * length..<(image + 1) * length
  }

  private func part(_ part: Part, _ rows: Range<Int>, _ head: Int) -> Tensor {
    let size = width / headCount
    return columns(packed, rows, first: part.rawValue * width + head * size, count: size)
  }

  private func probabilities(_ rows: Range<Int>, head: Int) -> Tensor {
    let scores = matmul(part(.query, rows, head), part(.key, rows, head), transposingB: true)
    let length = rows.count
    scores.withMutablePointer { scores in
      for row in 0..<length {
        let line = scores + row * length
        var (highest, sum) = (-Float.infinity, Float(0))
        for i in 0..<length { highest = max(highest, line[i]) }
        for i in 0..<length {
          line[i] = exp(scale * (line[i] - highest))
          sum += line[i]
        }
        for i in 0..<length { line[i] /= sum }
      }
    }
    return scores
  }

  /// Some columns of some rows as a matrix of their own.
  private func columns(_ x: Tensor, _ rows: Range<Int>, first: Int, count: Int) -> Tensor {
    let (result, stride) = (Tensor(uninitialized: [rows.count, count]), x.shape.last)
    result.withMutablePointer { target in
      x.read { source in
        for (place, row) in rows.enumerated() {
          (target + place * count).update(from: source + row * stride + first, count: count)
        }
      }
    }
    return result
  }
}
