import Foundation

/// Run folders as training leaves them, made by hand.
struct RunFolders {
  /// Folder of all runs, as `--log_dir`.
  let logs: String

  init() throws {
    logs = try Tool.scratch() + "/logs"
    try FileManager.default.createDirectory(atPath: logs + "/CLEFT", withIntermediateDirectories: true)
  }

  /// Writes a run and returns its folder.
  ///
  /// - Parameters:
  ///   - name: the folder's name.
  ///   - options: lines of `resolved.yaml` beyond the planned steps; nil for no file.
  ///   - lines: lines of `metrics.jsonl`; the last one without an end where `isTorn`.
  ///   - checkpoint: step of a checkpoint and text of its `state.json`.
  @discardableResult
  func make(
    _ name: String, options: [String]? = [], lines: [String], isTorn: Bool = false,
    checkpoint: (step: Int, state: String)? = nil
  ) throws -> String {
    let path = "\(logs)/CLEFT/\(name)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    if let options {
      try write(
        (["max_steps: 100", "batch_size: 8"] + options).map { $0 + "\n" }.joined(), "\(path)/resolved.yaml")
    }
    try write(lines.joined(separator: "\n") + (isTorn ? "" : "\n"), "\(path)/metrics.jsonl")
    if let checkpoint {
      let digits = String(checkpoint.step)
      let folder = "\(path)/checkpoints/step-" + String(repeating: "0", count: 8 - digits.count) + digits
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try write(checkpoint.state, folder + "/state.json")
    }
    return path
  }

  private func write(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  /// A line of a training step.
  static func training(_ step: Int, epoch: Int, loss: Double, rate: Double = 1e-3) -> String {
    """
    {"epoch":\(epoch),"images_per_s":16,"lr-AdamW/pg1":\(rate),"lr-AdamW/pg2":\(rate),"resident_mib":500,\
    "step":\(step),"train_acc1":50,"train_loss":\(loss)}
    """
  }

  /// A line of a validation.
  static func validation(_ step: Int, epoch: Int, loss: Double) -> String {
    "{\"epoch\":\(epoch),\"step\":\(step),\"val_acc1\":\(100 - 10 * loss),\"val_loss\":\(loss)}"
  }

  /// A finished run, one that was stopped, and one whose name is none of a well-behaved page.
  static func three() throws -> RunFolders {
    let folders = try RunFolders()
    try folders.make(
      "2026_01_02_03_04_05_lora",
      options: ["peft: \"lora\"", "seed: 1", "experiment_name: \"lora\"", "learning_rate: 0.001"],
      lines: [
        training(50, epoch: 0, loss: 3.5), validation(50, epoch: 0, loss: 2.5),
        training(100, epoch: 1, loss: 1.5), validation(100, epoch: 1, loss: 2.75),
        "{\"step\":100,\"test_acc1\":61.5,\"test_auc\":80.25}",
      ], checkpoint: (100, "{\"step\":100,\"progress\":{\"seconds\":7200}}"))
    try folders.make(
      "2026_01_03_03_04_05_ia3",
      options: ["peft: \"ia3\"", "seed: 1", "experiment_name: \"ia3\"", "learning_rate: 0.001"],
      lines: [
        training(50, epoch: 0, loss: 3), validation(50, epoch: 0, loss: 2),
        training(70, epoch: 1, loss: 2),
      ], checkpoint: (60, "{\"step\":60}"))
    try folders.make(
      "2026_01_04_03_04_05_<b>\"bold\" & 'more'",
      options: ["peft: \"<i>none</i>\"", "seed: 1", "learning_rate: 0.001", "grad_ckpt: true"],
      lines: [training(10, epoch: 0, loss: 4)])
    return folders
  }
}
