import ArgumentParser

/// How the parameters move.
struct OptimizerOptions: ParsableArguments {
  @Option(help: "Pairs of a batch on one device.")
  var batch_size = 72

  @Option(help: "Optimizer steps in all; also the length of the cosine.")
  var max_steps = 40_000

  @Option(help: "Steps of rising learning rate, fewer than --max_steps.")
  var warm_up = 16_000

  @Option(help: "Highest learning rate, per step.")
  var learning_rate = 2e-5

  @Option(help: "First and last learning rate, per step.")
  var min_lr = 1e-8

  @Option(help: "Weight decay, times the learning rate a step; tensors with one axis are exempt.")
  var weight_decay = 0.05

  @Option(help: "Adam's beta1 and SGD's momentum.")
  var momentum = 0.9

  @Flag(help: "SGD with momentum instead of AdamW.")
  var sgd = false

  @Flag(help: "Adafactor as the published program sets it; wins over --sgd.")
  var adafactor = false

  @Option(help: "Course of the learning rate: cosine (with restarts, as published), linear, constant.")
  var schedule = "cosine"

  @Option(help: "Longest gradient: a longer one is scaled down to it, 0 for no limit, as published.")
  var max_grad_norm = 0.0

  @Option(
    help: "Rate of each block of the image tower over that of the next one, above 0 up to 1; 1 as published.")
  var layer_decay = 1.0

  @OptionGroup(title: "Loss") var loss: LossOptions

  @Flag(help: "One parameter group: decay on everything.")
  var no_lrd = false

  @Option(help: "Batches that make one step.")
  var accumulate_grad_batches = 1

  mutating func validate() throws {
    func require(_ holds: Bool, _ name: String, _ value: some CustomStringConvertible, _ expected: String)
      throws
    {
      if !holds { throw ValidationError("--\(name) is \(value); expected \(expected).") }
    }
    try require(
      batch_size >= 2 && batch_size <= 1 << 20, "batch_size", batch_size,
      "2 ... 1048576; a pair needs negatives")
    try require(max_steps >= 1, "max_steps", max_steps, "at least 1")
    try require(warm_up >= 0, "warm_up", warm_up, "0 or more")
    try require(
      accumulate_grad_batches >= 1 && accumulate_grad_batches <= 1 << 20, "accumulate_grad_batches",
      accumulate_grad_batches, "at least 1")
    try require(
      learning_rate.isFinite && learning_rate >= 0, "learning_rate", learning_rate, "a finite number from 0")
    try require(min_lr.isFinite && min_lr >= 0, "min_lr", min_lr, "a finite number from 0")
    try require(
      weight_decay.isFinite && weight_decay >= 0, "weight_decay", weight_decay, "a finite number from 0")
    try require(momentum >= 0 && momentum < 1, "momentum", momentum, "0 ..< 1")
  }
}
