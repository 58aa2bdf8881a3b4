import Foundation

/// The cross-entropy of scores that a softmax, or a sigmoid each, is taken of, with its slopes and curvatures.
///
/// Scores are in columns; those of a softmax depend on each other and make one group, sigmoids are a group each.
struct LogisticLoss: Sendable {
  /// Whether there is one softmax over all columns.
  let isSoftmax: Bool
  /// Rows and columns of the scores `[n, J]`.
  let count, columns: Int
  /// 1 where a row has what a column stands for, else 0 `[n, J]`.
  private let truth: [Double]
  /// 0 where nobody knows whether it has `[n, J]`; empty where all is known.
  private let known: [Double]

  /// Takes the truth about some classes, in the order of the columns.
  init(_ targets: ProbeTargets, classes: [Int], isSoftmax: Bool) {
    self.isSoftmax = isSoftmax
    (count, columns) = (targets.count, classes.count)
    var truth = [Double](repeating: 0, count: targets.count * classes.count)
    var known = targets.unknown.isEmpty ? [] : [Double](repeating: 1, count: truth.count)
    for row in 0..<targets.count {
      for (column, label) in classes.enumerated() {
        switch targets.has(row, label) {
        case true?: truth[row * classes.count + column] = 1
        case false?: break
        case nil: known[row * classes.count + column] = 0
        }
      }
    }
    (self.truth, self.known) = (truth, known)
  }

  /// Groups of columns that do not depend on each other.
  var groupCount: Int { isSoftmax ? 1 : columns }

  /// The group of a column.
  @inline(__always)
  func group(_ column: Int) -> Int { isSoftmax ? 0 : column }

  /// What each column stands for: rows that have it, and rows known not to.
  var columnCounts: [(with: Double, without: Double)] {
    var counts = [(with: Double, without: Double)](repeating: (0, 0), count: columns)
    for place in truth.indices {
      let weight = known.isEmpty ? 1 : known[place]
      counts[place % columns].with += weight * truth[place]
      counts[place % columns].without += weight * (1 - truth[place])
    }
    return counts
  }

  /// Probabilities of scores, `[n, J]` both.
  func probabilities(_ scores: [Double]) -> [Double] {
    isSoftmax ? Softmax.rows(scores, width: columns) : scores.map { 1 / (1 + exp(-$0)) }
  }

  /// Slope of the loss by each score.
  func residuals(_ probabilities: [Double]) -> [Double] {
    truth.indices.map { (probabilities[$0] - truth[$0]) * (known.isEmpty ? 1 : known[$0]) }
  }

  /// For each row the mean curvature of the loss by its scores; on the directions that a softmax knows.
  func curvatures(_ probabilities: [Double]) -> [Double] {
    let scale = 1 / Double(isSoftmax ? max(columns - 1, 1) : columns)
    return (0..<count).map { row in
      var sum = 0.0
      for place in row * columns..<(row + 1) * columns {
        sum += probabilities[place] * (1 - probabilities[place]) * (known.isEmpty ? 1 : known[place])
      }
      return sum * scale
    }
  }

  /// Multiplies changes of the scores of some rows by the matrix of curvatures, in place.
  @inline(__always)
  func bend(_ rows: Range<Int>, _ changes: UnsafeMutablePointer<Double>, _ probabilities: [Double]) {
    probabilities.withUnsafeBufferPointer { p in
      for row in rows {
        let (own, first) = (changes + (row - rows.lowerBound) * columns, row * columns)
        if isSoftmax {
          var mean = 0.0
          for column in 0..<columns { mean += p[first + column] * own[column] }
          for column in 0..<columns { own[column] = p[first + column] * (own[column] - mean) }
        } else {
          for column in 0..<columns {
            let place = first + column
            own[column] *= p[place] * (1 - p[place]) * (known.isEmpty ? 1 : known[place])
          }
        }
      }
    }
  }

  /// For each group the loss at `scores + t · changes`, and its slope by `t`.
  ///
  /// - Shapes: `scores`, `changes` `[n, J]`; `steps` `[groups]`.
  func along(
    _ scores: [Double], _ changes: [Double], steps: [Double]
  ) -> (values: [Double], slopes: [Double]) {
    var values = [Double](repeating: 0, count: groupCount)
    var slopes = values
    var row = [Double](repeating: 0, count: columns)
    for start in stride(from: 0, to: scores.count, by: columns) {
      if isSoftmax {
        var top = -Double.infinity
        for column in 0..<columns {
          row[column] = scores[start + column] + steps[0] * changes[start + column]
          top = max(top, row[column])
        }
        var (sum, mean) = (0.0, 0.0)
        for column in 0..<columns {
          let part = exp(row[column] - top)
          sum += part
          mean += part * changes[start + column]
        }
        values[0] += log(sum) + top
        slopes[0] += mean / sum
        for column in 0..<columns {
          values[0] -= truth[start + column] * row[column]
          slopes[0] -= truth[start + column] * changes[start + column]
        }
        continue
      }
      for column in 0..<columns {
        let place = start + column
        let weight = known.isEmpty ? 1 : known[place]
        let score = scores[place] + steps[column] * changes[place]
        let decay = exp(-abs(score))
        let probability = (score < 0 ? decay : 1) / (1 + decay)
        values[column] += weight * (max(score, 0) + log1p(decay) - truth[place] * score)
        slopes[column] += weight * (probability - truth[place]) * changes[place]
      }
    }
    return (values, slopes)
  }
}
