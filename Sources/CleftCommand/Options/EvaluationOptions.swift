import ArgumentParser
import CleftData
import Foundation

/// What an evaluation asks, and what it writes.
struct EvaluationOptions: ParsableArguments {
  @Option(
    help: .value(
      "file",
      "YAML file of prompt sets, the first one scored and the others beside it. Default: the dataset's own prompts."
    ))
  var prompts: String?

  @Flag(
    help:
      "Each class is a question of its own, told by a prompt for it and one against it; pictures may have several classes."
  )
  var multi_label = false

  @Option(
    help: .value(
      "folder",
      "Where report.html, metrics.json and predictions.csv go. Default: eval/DATASET in the run folder."))
  var out: String?

  @Flag(help: "Print the scores only; write no report, predictions and metrics.")
  var no_report = false

  @Option(help: .value("draws", "Draws of patients for 95 % intervals, 0 (none) or 100 ... 100000."))
  var bootstrap = 1000

  @Option(
    help: .value(
      "pictures",
      "Validation pictures for thresholds and temperature, drawn by --seed; 0 for none of either."))
  var threshold_pictures = 1000

  @Option(
    help: .value(
      "pairs", "Test pictures and their captions to find by each other, drawn by --seed; 0 for none."))
  var retrieval_pairs = 1000

  @Option(
    help: .value(
      "path", "Evaluation to compare with: its predictions.csv or folder, or a run with one. Default: none."))
  var compare: String?

  @Option(help: .value("pictures", "Best and worst pictures on the page, 0 ... 100 of each."))
  var examples = 6

  @Option(
    help: .value(
      "columns",
      "Columns of the test table whose values make subgroups, besides sex, age and view; separated by commas. Default: none."
    ))
  var group_columns: String?

  mutating func validate() throws {
    try requireOption(
      bootstrap == 0 || (100...100_000).contains(bootstrap), "bootstrap", bootstrap, "0 or 100 ... 100000")
    try requireOption(threshold_pictures >= 0, "threshold_pictures", threshold_pictures, "0 or more")
    try requireOption(retrieval_pairs >= 0, "retrieval_pairs", retrieval_pairs, "0 or more")
    try requireOption((0...100).contains(examples), "examples", examples, "0 ... 100")
    if no_report, out != nil {
      throw ValidationError("--out is there together with --no_report; expected one of them.")
    }
  }
}

extension EvaluationOptions {
  /// Puts what these options say of a dataset into a request.
  func fill(_ request: inout DatasetRequest) {
    request.promptFile = prompts.map { ($0 as NSString).expandingTildeInPath }
    request.asksEachClass = multi_label
    request.groupColumns =
      group_columns?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
  }
}
