import ArgumentParser
import CleftTensor

/// `cleft train`: every option of the published `python train.py`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Pretrain or prompt-tune a language–image model; with --eval, evaluate one.",
    discussion: """
      The beginning of an option's name is enough where no other option begins so, and --flag=false takes back a flag \
      of a --config file. Of an option that is given twice the last one counts.
      """)

  @OptionGroup var model: ModelOptions
  @OptionGroup var data: DataOptions
  @OptionGroup var optimizer: OptimizerOptions
  @OptionGroup var run_: RunOptions

  func run() throws {
    let options = TrainOptions(model: model, data: data, optimizer: optimizer, run: run_)
    if run_.print_config { return print(options.yaml, terminator: "") }
    if run_.eval { return try options.evaluate(nil) }
    options.configureRuntime()
    try TrainRun(options: options)()
  }
}

extension TrainOptions {
  /// Sets threads and the type of products for this process.
  func configureRuntime() {
    if let threads = run.threads { Runtime.configure(threads: threads) }
    Runtime.productType = run.productType
    Runtime.savesHalf = run.precision == "bf16-true"
  }
}
