import CleftData
import CleftFormats
import CleftMetrics
import CleftTraining

/// The splits of a probe: where one class is asked for, what is learned from has one, and none of it is of the test set.
struct ProbeSplits {
  private(set) var training: ImageTextDataset
  private(set) var validation: ImageTextDataset?
  let test: ImageTextDataset
  /// What was left out of what is learned from, one line each.
  private(set) var notes: [String] = []

  /// All that there are, as of a training run.
  var splits: RunSplits { RunSplits(training: training, validation: validation, test: test) }

  /// Leaves out what a probe must not learn from.
  ///
  /// - Throws: `TrainingError.badConfiguration` without a test set; `.badData` if nothing is left to learn from.
  init(_ given: RunSplits, _ question: PredictionTable.Question) throws(TrainingError) {
    guard let test = given.test else {
      throw .badConfiguration(
        Problem(
          "the test set", found: given.untested ?? "none",
          expected: "a table with classes to score probes on", hint: "Pass --test_csv and its classes."))
    }
    (training, validation, self.test) = (given.training, given.validation, test)
    if question == .oneOf {
      training.leaveOutRowsWithSeveralClasses()
      validation?.leaveOutRowsWithSeveralClasses()
      note(since: given, "with several classes left out; --multi_label asks each class by itself")
      try requireTraining(
        found: "several classes in every row with one", expected: "rows of exactly one class",
        hint: "--multi_label asks each class by itself.")
    }
    let before = splits
    training.leaveOutRows(sharedWith: test, title: "the test set")
    validation?.leaveOutRows(sharedWith: test, title: "the test set")
    note(since: before, "left out, which the test set has too or whose patients it has")
    try requireTraining(
      found: "no picture that is not in \(test.table) too, or of one of its patients",
      expected: "pictures of other patients to learn from", hint: "'cleft check-data' lists who is in both.")
    guard let empty = validation, empty.samples.isEmpty else { return }
    notes.append("no validation picture is left of \(empty.table)")
    validation = nil
  }

  /// Notes how many pictures are gone since.
  private mutating func note(since before: RunSplits, _ text: String) {
    let sets: [(old: ImageTextDataset?, new: ImageTextDataset?, name: String)] = [
      (before.training, training, "training"), (before.validation, validation, "validation"),
    ]
    let counts = sets.compactMap { old, new, name -> String? in
      let count = (old?.samples.count ?? 0) - (new?.samples.count ?? 0)
      return count == 0 ? nil : "\(count) \(name)"
    }
    if !counts.isEmpty { notes.append("\(counts.joined(separator: " and ")) picture(s) \(text)") }
  }

  private func requireTraining(
    found: String, expected: String, hint: String
  ) throws(TrainingError) {
    guard training.samples.isEmpty else { return }
    throw .badData(Problem(training.table, found: found, expected: expected, hint: hint))
  }
}
