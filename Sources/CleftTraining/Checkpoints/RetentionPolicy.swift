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

  /// Whether a checkpoint without a validation of its own is judged by the newest one before it, as published.
  public var judgesByEarlier: Bool

  /// Makes a policy.
  public init(
    newest: Int, best: Int = 0, monitor: String = "val_loss", isLargerBetter: Bool = false,
    judgesByEarlier: Bool = false
  ) {
    self.judgesByEarlier = judgesByEarlier
    self.newest = newest
    self.best = best
    self.monitor = monitor
    self.isLargerBetter = isLargerBetter
  }

  /// A whole checkpoint with what it is judged by.
  struct Judged: Equatable {
    /// Name of its folder.
    let name: String
    /// The monitored number of its validation; nil if there is none, or it is not finite.
    let score: Double?
  }

  /// The number that a checkpoint is judged by.
  func score(of progress: RunProgress, step: Int) -> Double? {
    guard judgesByEarlier ? progress.validationStep <= step : progress.validationStep == step,
      let value = progress.validation[monitor], value.isFinite
    else {
      return nil
    }
    return value
  }

  /// The whole checkpoints in a folder, oldest first.
  func judged(in folder: String) -> [Judged] {
    Checkpoint.steps(in: folder).map { name in
      let state = try? RunState.read("\(folder)/\(name)")
      return Judged(name: name, score: state.flatMap { score(of: $0.progress, step: $0.step) })
    }
  }

  /// The best of some checkpoints, given oldest first, best first: only a better one displaces an older one.
  func best(of checkpoints: [Judged]) -> [Judged] {
    let sorted = checkpoints.enumerated().compactMap { index, checkpoint in
      checkpoint.score.map { (index: index, rank: isLargerBetter ? -$0 : $0) }
    }.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }
    return sorted.prefix(max(0, best)).map { checkpoints[$0.index] }
  }

  /// Names of those that need not stay, of checkpoints given oldest first.
  func superfluous(_ checkpoints: [Judged]) -> [String] {
    let kept = Set(best(of: checkpoints).map(\.name) + checkpoints.suffix(max(1, newest)).map(\.name))
    return checkpoints.map(\.name).filter { !kept.contains($0) }
  }

  /// Gives checkpoints of later steps than the one resumed from another name: they stay, but count no more.
  ///
  /// - Returns: how many there were.
  static func setAside(after step: Int, in folder: String) throws(FormatError) -> Int {
    let later = Checkpoint.steps(in: folder).filter { Int($0.dropFirst("step-".count)) ?? 0 > step }
    for name in later {
      let plain = "\(folder)/set-aside-\(name)"
      var (target, number) = (plain, 1)
      while FileSystem.exists(target) {
        number += 1
        target = "\(plain)_\(number)"
      }

      guard rename("\(folder)/\(name)", target) == 0 else {
        throw .system(
          Problem(
            "\(folder)/\(name)", found: "cannot be set aside (\(String(cString: strerror(errno))))",
            hint: "Move it away: it is of a later step than the one resumed."))
      }

    }
    return later.count
  }

  /// Removes a checkpoint: it loses its name before its files, so that half of one is never taken for whole.
  static func remove(_ path: String) {
    let going = path + ".partial"
    FileSystem.remove(going)
    if rename(path, going) == 0 { FileSystem.remove(going) }
  }

  /// Removes what a killed process left half-written or half-removed; nobody else may be writing there.
  static func removeLeftovers(in folder: String) {
    let ending = ".old.partial"
    for name in FileSystem.list(folder) where name.hasSuffix(".partial") {
      let whole = "\(folder)/\(name.dropLast(ending.count))"
      // Replaced by a checkpoint of the same step that did not come to its name.
      if name.hasSuffix(ending), !FileSystem.exists(whole),
        FileSystem.exists("\(folder)/\(name)/state.json"), rename("\(folder)/\(name)", whole) == 0
      {
        continue
      }
      FileSystem.remove("\(folder)/\(name)")
    }
  }
}
