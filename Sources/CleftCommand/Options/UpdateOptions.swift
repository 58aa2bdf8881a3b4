import ArgumentParser

/// How far the parameters move, how often, on how much.
struct UpdateOptions: ParsableArguments {
  @Option(
    help: .value("pairs", "Pairs of a batch on one device, 2 ... 1048576; evaluation takes 32, as published.")
  )
  var batch_size = 72

  @Option(help: .value("batches", "Batches that make one step, 1 ... 1048576; gradients are averaged."))
  var accumulate_grad_batches = 1

  @Option(help: .value("steps", "Optimizer steps in all, at least 1; also the length of the cosine."))
  var max_steps = 40_000

  @Option(help: .value("steps", "Steps of rising learning rate, 0 or more, fewer than --max_steps."))
  var warm_up = 16_000

  @Option(help: .value("rate", "Highest learning rate, per step, from 0."))
  var learning_rate = 2e-5

  @Option(help: .value("rate", "First and last learning rate, per step, from 0."))
  var min_lr = 1e-8

  @Option(
    help: .value(
      "course", "Learning rate over the steps: cosine (with restarts, as published), linear, constant."))
  var schedule = "cosine"

  @Option(
    help: .value(
      "factor", "Weight decay from 0, times the learning rate a step; tensors of one axis are exempt."))
  var weight_decay = 0.05

  @Option(help: .value("factor", "AdamW's and Adafactor's beta1 and SGD's momentum, 0 ..< 1."))
  var momentum = 0.9

  @Flag(help: "SGD with momentum instead of AdamW.")
  var sgd = false

  @Flag(help: "Adafactor as the published program sets it; wins over --sgd.")
  var adafactor = false

  @Flag(help: "One parameter group: decay on everything.")
  var no_lrd = false

  @Option(
    help: .value(
      "factor",
      "Rate of each block of the image tower over that of the next one, above 0 up to 1; 1 as published."))
  var layer_decay = 1.0

  @Option(
    help: .value(
      "norm", "Longest gradient, from 0: a longer one is scaled down to it; 0 for no limit, as published."))
  var max_grad_norm = 0.0

  mutating func validate() throws {
    try requireOption(
      (2...1 << 20).contains(batch_size), "batch_size", batch_size, "2 ... 1048576; a pair needs negatives")
    try requireOption(max_steps >= 1, "max_steps", max_steps, "at least 1")
    try requireOption(warm_up >= 0, "warm_up", warm_up, "0 or more")
    try requireOption(
      (1...1 << 20).contains(accumulate_grad_batches), "accumulate_grad_batches", accumulate_grad_batches,
      "1 ... 1048576")
    for (name, number) in [
      ("learning_rate", learning_rate), ("min_lr", min_lr), ("weight_decay", weight_decay),
      ("max_grad_norm", max_grad_norm),
    ] {
      try requireOption(number.isFinite && number >= 0, name, number, "a finite number from 0")
    }
    try requireOption(momentum >= 0 && momentum < 1, "momentum", momentum, "0 ..< 1")
    try requireOption(layer_decay > 0 && layer_decay <= 1, "layer_decay", layer_decay, "above 0 up to 1")
    try requireOption("schedule", schedule, among: ["cosine", "linear", "constant"])
  }
}
