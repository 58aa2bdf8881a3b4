import CleftFormats
import Foundation

/// Which checkpoints of a run stay: the newest ones, and the best ones by a number.
public struct RetentionPolicy: Sendable, Equatable {
  /// How many of the newest stay.
  public var newest: Int
  /// How many of the best stay besides.
  public var best: Int
  /// Number that says which are best, as in `metrics.jsonl`.
  public var monitor: String
  /// Whether a larger number is better.
  public var isLargerBetter: Bool

  /// Makes a policy.
  public init(newest: Int, best: Int = 0, monitor: String = "val_loss", isLargerBetter: Bool = false) {
    self.newest = newest
    self.best = best
    self.monitor = monitor
    self.isLargerBetter = isLargerBetter
  }

  /// Removes what need not stay, after the newest one has been written and read back.
  ///
  /// Also removes what a killed process left half-written.
  public func apply(to folder: String) {
    let steps = Checkpoint.steps(in: folder)
    for name in steps.dropLast(max(1, newest)) { remove("\(folder)/\(name)") }
    for name in FileSystem.list(folder) where name.hasSuffix(".partial") { remove("\(folder)/\(name)") }
  }

  /// Gives checkpoints of later steps than the one resumed from another name: they stay, but count no more.
  ///
  /// - Returns: how many there were.
  public static func setAside(after step: Int, in folder: String) -> Int {
    let limit = Checkpoint.folderName(step: step)
    let later = Checkpoint.steps(in: folder).filter { $0 > limit }
    for name in later { rename("\(folder)/\(name)", "\(folder)/set-aside-\(name)") }
    return later.count
  }

  /// A folder loses its name before its files, so that half of one is never taken for a checkpoint.
  private func remove(_ path: String) {
    let going = path.hasSuffix(".partial") ? path : path + ".partial"
    if going != path { rename(path, going) }
    try? FileManager.default.removeItem(atPath: going)
  }
}
