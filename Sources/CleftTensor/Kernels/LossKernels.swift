import Foundation

extension Kernels {
  /// Turns a row of scores into probabilities in place and returns log Σ eˣ of the scores, in Double.
  static func probabilities(_ row: Pointer, count: Int) -> Double {
    let top = Double(maximum(row, count: count))
    var sum = 0.0
    for i in 0..<count { sum += Foundation.exp(Double(row[i]) - top) }
    let logSum = log(sum) + top
    for i in 0..<count { row[i] = Float(Foundation.exp(Double(row[i]) - logSum)) }
    return logSum
  }

  /// Turns a row of scores into probabilities in place and returns -log of the target's, in Double.
  static func negativeLogLikelihood(_ row: Pointer, count: Int, target: Int) -> Double {
    let score = Double(row[target])
    return probabilities(row, count: count) - score
  }

  /// Binary cross-entropy of every score with its target from 0 to 1, summed in Double; `slope = σ(x) - y`.
  static func binaryCrossEntropy(
    _ scores: UnsafePointer<Float>, targets: UnsafePointer<Float>, slope: Pointer, count: Int
  ) -> Double {
    var total = 0.0
    for i in 0..<count {
      let (x, y) = (Double(scores[i]), Double(targets[i]))
      let tail = Foundation.exp(-abs(x))
      total += max(x, 0) - x * y + log1p(tail)
      slope[i] = Float((x >= 0 ? 1 / (1 + tail) : tail / (1 + tail)) - y)
    }
    return total
  }

  /// Sum of all elements, in Double.
  static func longSum(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var total = 0.0
    for i in 0..<count { total += Double(x[i]) }
    return total
  }
}
