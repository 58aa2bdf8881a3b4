/// Tags in TensorBoard, which shows what is the same up to the first slash together.
package enum TensorBoardTag {
  private static let phases: Set<Substring> = ["train", "val", "valid", "test"]
  /// Numbers of training steps without the phase in their names.
  private static let ofTraining: Set<String> = ["grad_norm", "skipped_steps"]

  /// The tag of a number: `train_loss` is `train/loss`, `lr-AdamW/pg1` is `lr/AdamW/pg1`, `images_per_s` is
  /// `system/images_per_s`, `grad_norm` is `train/grad_norm`; other names stay.
  package static func scalar(_ name: String) -> String {
    if StepFigures.systemNames.contains(name) { return "system/\(name)" }
    if ofTraining.contains(name) { return "train/\(name)" }
    if name.hasPrefix("lr-") { return "lr/" + name.dropFirst(3) }
    let parts = name.split(separator: "_", maxSplits: 1)
    return parts.count == 2 && phases.contains(parts[0]) ? "\(parts[0])/\(parts[1])" : name
  }

  /// The name itself if it has a group, else the name in `group`.
  package static func grouped(_ name: String, _ group: String) -> String {
    name.contains("/") ? name : "\(group)/\(name)"
  }
}
