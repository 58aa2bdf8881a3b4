import ArgumentParser
import CleftTraining

/// `cleft eval`: `cleft train … --eval`.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Zero-shot evaluation of a checkpoint or run.",
    discussion: """
      On the dataset and classes that the run was trained on, unless --dataset, --rsna or --embed names another, and in \
      its precision. All test rows are scored, in batches of 32 on one device; options of training are accepted and not \
      heeded, as published.
      """)

  @Argument(help: "Checkpoint or run folder; the same as --pretrained_model. Default: none.")
  var path: String?

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions
  @OptionGroup var optimizer: OptimizerOptions
  @OptionGroup var run_: RunOptions

  mutating func validate() throws {
    run_.eval = true
    try run_.validate()
    if let path, let other = model.pretrained_model, path != other {
      throw ValidationError("--pretrained_model is '\(other)', besides '\(path)'; expected one of them.")
    }
  }

  func run() throws {
    var options = TrainOptions(model: model, data: data, optimizer: optimizer, run: run_)
    if let path { options.model.pretrained_model = path }
    if run_.print_config { return print(options.yaml, terminator: "") }
    try options.evaluate(path)
  }
}

extension TrainOptions {
  /// Evaluates; as published, options of training count for nothing.
  func evaluate(_ path: String?) throws {
    Signals.unwatch()
    let (options, unheeded) = forEvaluation()
    options.configureRuntime()
    Self.announceUnheeded(unheeded, RunLog())
    try EvalRun(options: options)(path)
  }
}
