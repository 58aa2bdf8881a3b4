import ArgumentParser
import CleftTensor

/// `cleft train`: every option of the published `python train.py`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Pretrain or prompt-tune a language–image model; with --eval, evaluate one.")

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Optimizer") var optimizer: OptimizerOptions
  @OptionGroup(title: "Run") var run_: RunOptions

  func run() throws {
    let options = TrainOptions(model: model, data: data, optimizer: optimizer, run: run_)
    if run_.print_config {
      print(options.yaml, terminator: "")
      return
    }
    if let threads = run_.threads { Runtime.configure(threads: threads) }
    Runtime.productType = run_.productType
    if run_.eval { try EvalRun(options: options)() } else { try TrainRun(options: options)() }
  }
}
