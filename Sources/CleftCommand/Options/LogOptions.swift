import ArgumentParser

/// What a run writes down while it goes on.
struct LogOptions: ParsableArguments {
  @Option(help: "Ends the name of the run folder.")
  var experiment_name = ""

  @Option(help: "Folder of all runs.")
  var log_dir = "logs"

  @Option(help: "Steps between lines of numbers.")
  var log_every = 50

  @Option(help: "Steps between validations; 0 for one at the end of every epoch.")
  var val_every = 0

  @Flag(help: "Write no TensorBoard events.")
  var no_tensorboard = false

  @Option(help: "Steps between histograms of the adapters in the TensorBoard events; 0 for none.")
  var histogram_every = 500

  @Option(
    help:
      "Folder to write the start weights, the first batches and their losses to, for replaying them elsewhere."
  )
  var trace: String?

  @Option(help: "Steps that --trace writes.")
  var trace_steps = 20
}
