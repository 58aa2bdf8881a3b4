/// Services that runs are often sent to, and what to do for one to get a run of this program.
///
/// Nothing here talks to a service or reads the value of a key.
package enum TrackingService {
  /// What a user with settings of such a service in the environment should know.
  ///
  /// - Parameters:
  ///   - folder: the run's folder.
  ///   - hasEvents: whether TensorBoard's events are written there.
  /// - Returns: nil if there are no such settings, or they say that nothing is to be sent.
  package static func notice(_ environment: [String: String], folder: String, hasEvents: Bool) -> String? {
    func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
    let isOff =
      ["disabled", "dryrun"].contains(environment["WANDB_MODE"]?.lowercased() ?? "")
      || ["true", "1", "yes"].contains(environment["WANDB_DISABLED"]?.lowercased() ?? "")
    let wandb = isOff ? [] : environment.keys.filter { $0.hasPrefix("WANDB_") && isSet($0) }.sorted()
    let others = ["COMET_API_KEY", "NEPTUNE_API_TOKEN"].filter(isSet)
    guard let first = wandb.first ?? others.first else { return nil }
    let count = wandb.count + others.count
    var text = first + (count > 1 ? " and \(count - 1) more are" : " is")
    text += " set, but runs are local: nothing is sent."
    guard hasEvents else { return text + " Without --no_tensorboard there would be events to upload." }
    if !wandb.isEmpty {
      text +=
        " To upload the TensorBoard events: wandb sync --sync-tensorboard \(quoted(folder))"
        + " (needs wandb 0.29.0 or older: pip install 'wandb<=0.29.0')."
    }
    if others.contains("NEPTUNE_API_TOKEN") {
      text += " For Neptune: neptune tensorboard --project PROJECT \(quoted(folder))."
    }
    if others.contains("COMET_API_KEY") {
      text += " For Comet: import the TensorBoard events in \(quoted(folder))."
    }
    return text
  }

  /// As a shell takes it.
  private static func quoted(_ path: String) -> String {
    path.allSatisfy { $0.isLetter || $0.isNumber || "/._-+=,@%".contains($0) }
      ? path
      : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
