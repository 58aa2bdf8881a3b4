import ArgumentParser

/// When a run is saved, and what stays.
struct CheckpointOptions: ParsableArguments {
  @Option(help: "Go on from a checkpoint: its folder, a run folder, or last.")
  var resume_ckpt: String?

  @Option(help: "Steps between checkpoints, 0 for none by steps.")
  var checkpoint_every = 500

  @Option(help: "Minutes between checkpoints, 0 for none by time.")
  var checkpoint_minutes = 0.0

  @Option(help: "Epochs between checkpoints, 0 for none by epochs.")
  var checkpoint_epochs = 1

  @Option(help: "Newest checkpoints that stay.")
  var keep_checkpoints = 2

  @Option(help: "Best checkpoints by --monitor that stay besides, 0 for none.")
  var keep_best = 2

  @Option(help: "Number that says which checkpoint is best, as it is named in metrics.jsonl.")
  var monitor = "val_loss"

  @Option(
    help: "Whether a smaller or a larger --monitor is better: min, max; default: max for accuracies and AUC.")
  var monitor_mode: String?

  @Flag(help: "Test the best checkpoint after training instead of the last one.")
  var test_best = false

  /// Whether a larger monitored number is better.
  var isLargerBetter: Bool {
    monitor_mode.map { $0 == "max" } ?? (monitor.contains("acc") || monitor.contains("auc"))
  }
}
