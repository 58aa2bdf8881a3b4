/// A table of predictions with everything computed that its numbers share, so that each of them is one pass over the
/// samples, however they are weighted.
///
/// Weights are one a sample of the table, everywhere. A sample of weight 0 is not there. Cells that are unknown count
/// for nothing where each class is a question of its own; where a sample has one of the classes, nothing is unknown. A
/// probability that is no number makes every number undefined that it would count for.
public struct ScoredTable: Sendable {
  /// The predictions.
  public let table: PredictionTable
  /// Probabilities `[n, K]`, row by row.
  public let probabilities: [Double]
  /// The likeliest class of each sample, the first of equal ones; empty where each class is a question of its own.
  public let predictions: [Int]
  /// Probabilities of each class against what is true; unknown samples are left out, but keep their weight's place.
  public let ranked: [RankedScores]
  /// Samples with a probability that is no number and would count.
  public let undefinedCount: Int
  /// What is true of each cell `[n, K]`.
  let truths: [Truth]
  /// Samples with each class, without it, and of which nobody knows.
  let counts: [(positive: Int, negative: Int, unknown: Int)]
  /// What each sample adds to the means.
  let rows: RowSums

  /// Computes probabilities at a temperature and what follows from them.
  public init(_ table: PredictionTable, temperature: Double = 1) {
    precondition(temperature > 0, "scored table: a temperature of \(temperature)")
    self.init(table, probabilities: table.probabilities(temperature: temperature))
  }

  /// Takes probabilities as they are; they are in the order of the table's logits, within a row or, where each class is a
  /// question of its own, within a column.
  package init(_ table: PredictionTable, probabilities: [Double]) {
    precondition(
      probabilities.count == table.logits.count,
      "scored table: \(probabilities.count) probabilities for \(table.logits.count) logits")
    self.table = table
    self.probabilities = probabilities
    let (truths, width) = (table.truths, table.classCount)
    self.truths = truths
    counts = table.classCounts(truths)
    predictions = table.question == .oneOf ? (0..<table.count).map(table.likeliest) : []
    ranked = (0..<width).map { index in
      let cells = stride(from: index, to: truths.count, by: width)
      // Sigmoids of scores above 36.7 are all 1.
      return RankedScores(
        scores: cells.map { probabilities[$0] }, isPositive: cells.map { truths[$0] == .yes },
        isKnown: cells.map { truths[$0] != .unknown },
        ranks: table.question == .each ? cells.map { table.logits[$0] } : nil)
    }
    rows =
      table.question == .oneOf
      ? RowSums(oneOf: table, probabilities, predictions) : RowSums(each: probabilities, truths, table)
    undefinedCount = rows.hits.count(where: \.isNaN)
  }
}

/// What is true of a sample and a class.
enum Truth: UInt8, Sendable { case no, yes, unknown }

extension PredictionTable {
  /// Samples with each class, without it, and of which nobody knows.
  package var classCounts: [(positive: Int, negative: Int, unknown: Int)] { classCounts(truths) }

  /// The same from what is true of each cell `[n, K]`.
  func classCounts(_ truths: [Truth]) -> [(positive: Int, negative: Int, unknown: Int)] {
    var counts = [(positive: Int, negative: Int, unknown: Int)](repeating: (0, 0, 0), count: classCount)
    for row in 0..<count {
      for index in 0..<classCount {
        switch truths[row * classCount + index] {
        case .yes: counts[index].positive += 1
        case .no: counts[index].negative += 1
        case .unknown: counts[index].unknown += 1
        }
      }
    }
    return counts
  }

  /// What is true of each cell `[n, K]`, row by row.
  var truths: [Truth] {
    var truths = [Truth](repeating: .no, count: count * classCount)
    for (row, own) in labels.enumerated() {
      precondition(
        question == .each || own.count == 1,
        "predictions: sample \(row) has \(own.count) of the classes that it can have one of")
      for index in own { truths[cell(row, index)] = .yes }
    }
    guard question == .each else { return truths }
    for (row, own) in unknown.enumerated() { for index in own { truths[cell(row, index)] = .unknown } }
    return truths
  }

  private func cell(_ row: Int, _ index: Int) -> Int {
    precondition(
      classNames.indices.contains(index), "predictions: class \(index) of \(classCount) for sample \(row)")
    return row * classCount + index
  }

  /// The class with the highest logit, the first of equal ones; what is no number is never the highest.
  func likeliest(_ row: Int) -> Int {
    let start = row * classCount
    return (0..<classCount).reduce(0) { best, index in
      let (logit, top) = (logits[start + index], logits[start + best])
      return logit > top || (top.isNaN && !logit.isNaN) ? index : best
    }
  }
}
