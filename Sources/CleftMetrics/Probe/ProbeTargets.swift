/// What is true of the rows that a linear probe learns from, or is judged by.
public struct ProbeTargets: Sendable, Equatable {
  /// What is asked of a row.
  public let question: PredictionTable.Question
  /// Classes `K`.
  public let classCount: Int
  /// Classes that each row has, ascending; exactly one under `oneOf`.
  public let labels: [[Int]]
  /// Classes of which nobody knows whether a row has them, which then does not count for these; empty where all is known.
  public let unknown: [[Int]]

  /// Makes targets.
  public init(
    question: PredictionTable.Question, classCount: Int, labels: [[Int]], unknown: [[Int]] = []
  ) {
    precondition(
      question == .each || labels.allSatisfy { $0.count == 1 },
      "probe: a row with several or no classes")
    precondition(unknown.isEmpty || unknown.count == labels.count, "probe: \(unknown.count) rows of unknowns")
    (self.question, self.classCount, self.labels) = (question, classCount, labels)
    self.unknown = unknown.contains { !$0.isEmpty } ? unknown : []
  }

  /// Rows.
  public var count: Int { labels.count }

  /// Some of the rows, in the order given.
  public func rows(_ chosen: [Int]) -> ProbeTargets {
    ProbeTargets(
      question: question, classCount: classCount, labels: chosen.map { labels[$0] },
      unknown: unknown.isEmpty ? [] : chosen.map { unknown[$0] })
  }

  /// Whether a row has a class; nil where nobody knows.
  func has(_ row: Int, _ label: Int) -> Bool? {
    if !unknown.isEmpty, unknown[row].contains(label) { return nil }
    return labels[row].contains(label)
  }

  /// Rows with a class, and rows known to be without it.
  func counts(of label: Int) -> (with: Int, without: Int) {
    var (with, without) = (0, 0)
    for row in 0..<count {
      switch has(row, label) {
      case true?: with += 1
      case false?: without += 1
      case nil: break
      }
    }
    return (with, without)
  }
}
