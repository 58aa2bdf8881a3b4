import ArgumentParser

/// When a run is saved, and what stays.
struct CheckpointOptions: ParsableArguments {
  @Option(
    help: .value(
      "checkpoint",
      """
      Go on from a checkpoint: its folder; a run folder, for its newest whole one; or last, for the newest run of \
      --experiment_name. Options of a named run need not be typed again. Default: a new run.
      """))
  var resume_ckpt: String?

  @Option(help: .value("steps", "Steps between checkpoints, 0 for none by steps."))
  var checkpoint_every = 500

  @Option(help: .value("minutes", "Minutes between checkpoints, 0 for none by time."))
  var checkpoint_minutes = 0.0

  @Option(help: .value("epochs", "Epochs between checkpoints, 0 for none by epochs."))
  var checkpoint_epochs = 1

  @Option(help: .value("checkpoints", "Newest checkpoints that stay, at least 1."))
  var keep_checkpoints = 2

  @Option(help: .value("checkpoints", "Best checkpoints by --monitor that stay besides, 0 for none."))
  var keep_best = 2

  @Option(
    help: .value(
      "number",
      "Number of the validation that says which checkpoint is best, as it is named in metrics.jsonl."))
  var monitor = "val_loss"

  @Option(
    help: .value(
      "mode",
      "Whether a smaller or a larger --monitor is better: min, max. Default: max for accuracies and AUC."))
  var monitor_mode: String?

  @Flag(
    help: """
      Store frozen weights too; by default a checkpoint refers to the files that they were read from, and needs them.
      """)
  var whole_checkpoints = false

  @Flag(help: "Test the best checkpoint after training instead of the last one.")
  var test_best = false

  /// Whether a larger monitored number is better.
  var isLargerBetter: Bool {
    monitor_mode.map { $0 == "max" } ?? (monitor.contains("acc") || monitor.contains("auc"))
  }

  mutating func validate() throws {
    try requireOption(checkpoint_every >= 0, "checkpoint_every", checkpoint_every, "0 or more")
    try requireOption(
      checkpoint_minutes.isFinite && checkpoint_minutes >= 0, "checkpoint_minutes", checkpoint_minutes,
      "a finite number from 0")
    try requireOption(checkpoint_epochs >= 0, "checkpoint_epochs", checkpoint_epochs, "0 or more")
    try requireOption(
      (1...100_000).contains(keep_checkpoints), "keep_checkpoints", keep_checkpoints, "1 ... 100000")
    try requireOption((0...100_000).contains(keep_best), "keep_best", keep_best, "0 ... 100000")
    if let monitor_mode { try requireOption("monitor_mode", monitor_mode, among: ["min", "max"]) }
    if monitor.isEmpty { throw ValidationError("--monitor is empty; expected a number such as val_loss.") }
    if test_best, keep_best == 0 {
      throw ValidationError(
        "--test_best is given with --keep_best 0; expected at least 1, or the best may be gone.")
    }
  }
}
