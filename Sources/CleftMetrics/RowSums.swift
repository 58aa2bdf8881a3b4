import Foundation

/// What each sample of a table adds to the numbers that are means over samples or cells; no number where a probability
/// that counts is none.
struct RowSums: Sendable {
  /// Questions that count: 1 where a sample has one of the classes, else its known classes.
  private(set) var cells: [Double] = []
  /// Questions that were answered rightly.
  private(set) var hits: [Double] = []
  /// Whether the true class is among the two likeliest, the first of equal ones; empty where each class is a question.
  private(set) var topTwo: [Double] = []
  /// Sum of -log of the probability of what is true, in nats.
  private(set) var losses: [Double] = []
  /// Sum of the squared differences between probability and truth.
  private(set) var squares: [Double] = []

  /// Of samples that have one of the classes each.
  init(oneOf table: PredictionTable, _ probabilities: [Double], _ predictions: [Int]) {
    let width = table.classCount
    for (row, own) in table.labels.enumerated() {
      let (label, range) = (own[0], row * width..<(row + 1) * width)
      let logit = table.logits[range.lowerBound + label]
      var (square, better, isNumber) = (0.0, 0, true)
      for (index, place) in range.enumerated() {
        let difference = probabilities[place] - (index == label ? 1 : 0)
        square += difference * difference
        isNumber = isNumber && !difference.isNaN
        let other = table.logits[place]
        better += other > logit || (other == logit && index < label) ? 1 : 0
      }
      // Two classes are one question asked twice.
      squares.append(width == 2 ? square / 2 : square)
      losses.append(Self.loss(probabilities[range.lowerBound + label]))
      hits.append(isNumber ? (predictions[row] == label ? 1 : 0) : .nan)
      topTwo.append(isNumber ? (better < 2 ? 1 : 0) : .nan)
      cells.append(1)
    }
  }

  /// Of samples of which each class is a question of its own; a probability above 1/2 says yes.
  init(each probabilities: [Double], _ truths: [Truth], _ table: PredictionTable) {
    for row in 0..<table.count {
      var (count, hit, loss, square) = (0.0, 0.0, 0.0, 0.0)
      for place in row * table.classCount..<(row + 1) * table.classCount where truths[place] != .unknown {
        let (probability, isPositive) = (probabilities[place], truths[place] == .yes)
        let difference = probability - (isPositive ? 1 : 0)
        count += 1
        hit += probability.isNaN ? .nan : (probability > 0.5) == isPositive ? 1 : 0
        loss += Self.loss(isPositive ? probability : 1 - probability)
        square += difference * difference
      }
      cells.append(count)
      hits.append(hit)
      losses.append(loss)
      squares.append(square)
    }
  }

  /// -log of a probability that is at least 2⁻⁵² from 0 and from 1: one impossible truth costs 36 nats, not everything.
  ///
  /// - Source: scikit-learn's `log_loss`, which moves probabilities as far.
  private static func loss(_ probability: Double) -> Double {
    probability.isNaN ? .nan : -log(min(max(probability, .ulpOfOne), 1 - .ulpOfOne))
  }
}

extension ScoredTable {
  /// Weighted mean of a sum over questions; nil without any, or if something is no number.
  func mean(_ sums: [Double], _ weights: [Double]?) -> Double? {
    var (sum, cells) = (0.0, 0.0)
    let isValid = forEachRow(weights) { row, weight in
      sum += weight * sums[row]
      cells += weight * rows.cells[row]
    }
    return isValid && cells > 0 && sum.isFinite ? sum / cells : nil
  }

  /// Whether every probability that counts is a number.
  func areNumbers(_ weights: [Double]?) -> Bool {
    if undefinedCount == 0 { return true }
    var areNumbers = true
    let isValid = forEachRow(weights) { row, _ in areNumbers = areNumbers && !rows.hits[row].isNaN }
    return isValid && areNumbers
  }

  /// Goes over the samples whose weight is not 0; false as soon as a weight is negative or no finite number.
  @inline(__always)
  func forEachRow(_ weights: [Double]?, _ body: (_ row: Int, _ weight: Double) -> Void) -> Bool {
    guard let weights else {
      for row in 0..<table.count { body(row, 1) }
      return true
    }
    precondition(weights.count == table.count, "metric: \(weights.count) weights for \(table.count) samples")
    for row in 0..<table.count where weights[row] != 0 {
      guard weights[row] > 0, weights[row].isFinite else { return false }
      body(row, weights[row])
    }
    return true
  }
}
