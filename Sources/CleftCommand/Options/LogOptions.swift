import ArgumentParser

/// What a run writes down while it goes on.
struct LogOptions: ParsableArguments {
  @Option(help: .value("name", "Ends the name of the run folder. Default: nothing."))
  var experiment_name = ""

  @Option(help: .value("folder", "Folder of all runs; each is in CLEFT/<time>_<experiment_name> below it."))
  var log_dir = "logs"

  @Option(
    help: .value(
      "steps", "Steps between lines of numbers: in metrics.jsonl, the TensorBoard events, the log."))
  var log_every = 50

  @Option(help: .value("steps", "Steps between validations; 0 for one at the end of every epoch."))
  var val_every = 0

  @Flag(help: "Write no TensorBoard events.")
  var no_tensorboard = false

  @Option(
    help: .value(
      "steps",
      "Steps between histograms of the trained adapters and prompts in the TensorBoard events; 0 for none."))
  var histogram_every = 500

  @Option(
    help: .value(
      "folder",
      "Folder to write the start weights, the first batches and their losses to, for replaying them elsewhere. Default: none."
    ))
  var trace: String?

  @Option(help: .value("steps", "Steps that --trace writes."))
  var trace_steps = 20

  mutating func validate() throws {
    if experiment_name.contains("/") {
      throw ValidationError("--experiment_name is '\(experiment_name)'; expected a name without a slash.")
    }
    if log_dir.isEmpty { throw ValidationError("--log_dir is empty; expected a folder.") }
    try requireOption(log_every > 0, "log_every", log_every, "at least 1")
    try requireOption(val_every >= 0, "val_every", val_every, "0 or more")
    try requireOption(histogram_every >= 0, "histogram_every", histogram_every, "0 or more")
    try requireOption(trace_steps > 0, "trace_steps", trace_steps, "at least 1")
    if trace == "" { throw ValidationError("--trace is empty; expected a folder.") }
  }
}
