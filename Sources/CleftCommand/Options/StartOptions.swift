import ArgumentParser

/// Which weights a model starts from.
struct StartOptions: ParsableArguments {
  @Option(
    help: .value(
      "path",
      "Checkpoint, run folder or Lightning file to evaluate, or to start a new training from. Default: none.")
  )
  var pretrained_model: String?

  @Option(
    help: .value(
      "path",
      "The same, for the two towers that --prompt_ft or a new training starts from. Default: none."))
  var pretrained_encoder: String?

  @Flag(help: "Let weights be missing or left over; every one is listed. Without it that is an error.")
  var non_strict = false

  @Flag(help: "Take the temperature of --pretrained_encoder too; without it the temperature starts anew.")
  var inherit_logit_scale = false
}
