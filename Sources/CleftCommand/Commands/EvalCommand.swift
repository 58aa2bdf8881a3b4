import ArgumentParser
import CleftTensor

/// `cleft eval`: `cleft train … --eval`.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval", abstract: "Zero-shot evaluation of a checkpoint or run.",
    discussion:
      "On the dataset that the run was trained on, unless --dataset, --rsna or --embed names another.")

  @Argument(help: "Checkpoint or run folder; the same as --pretrained_model.")
  var path: String?

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Optimizer") var optimizer: OptimizerOptions
  @OptionGroup(title: "Run") var run_: RunOptions

  func run() throws {
    if run_.print_config {
      print(TrainOptions(model: model, data: data, optimizer: optimizer, run: run_).yaml, terminator: "")
      return
    }
    if let threads = run_.threads { Runtime.configure(threads: threads) }
    Runtime.productType = run_.productType
    var run_ = run_
    run_.eval = true
    try EvalRun(options: TrainOptions(model: model, data: data, optimizer: optimizer, run: run_))(path)
  }
}
