import CleftFormats
import CleftNN
import Foundation

/// Writes a run's checkpoints and decides which of them stay.
///
/// Which ones are best stands in `best_ckpts.yaml` beside the folder: their paths with their scores, best first.
public final class CheckpointKeeper {
  /// Folder of the checkpoints.
  public let folder: String
  private let retention: RetentionPolicy
  private let warn: (String) -> Void
  private let contents: (_ step: Int, _ progress: RunProgress) -> Checkpoint.Contents

  /// Makes a keeper; nothing is written yet.
  ///
  /// - Parameters:
  ///   - folder: `checkpoints` in the run folder.
  ///   - warn: told what a user should know.
  ///   - contents: what a checkpoint of this moment holds.
  public init(
    folder: String, retention: RetentionPolicy, warn: @escaping (String) -> Void = { _ in },
    contents: @escaping (_ step: Int, _ progress: RunProgress) -> Checkpoint.Contents
  ) {
    self.folder = folder
    self.retention = retention
    self.warn = warn
    self.contents = contents
  }

  /// Bytes of a checkpoint of a model once every trained parameter has moved; texts beside the tensors are left out.
  public static func byteCount(
    model: any Module, optimizer: (any Optimizer)?, storesBase: Bool = false
  ) -> Int {
    CheckpointParts(model.cells(), storesBase: storesBase).byteCount + (optimizer?.fullStateByteCount ?? 0)
  }

  /// Path of the best checkpoint; nil if none has a score.
  public var best: String? {
    var policy = retention
    policy.best = 1
    return policy.best(of: retention.judged(in: folder)).first.map { "\(folder)/\($0.name)" }
  }

  /// Takes up the folder where the run goes on at a step: leftovers of a killed process are removed, checkpoints of later
  /// steps set aside, and `best_ckpts.yaml` made anew.
  ///
  /// - Returns: how many checkpoints were set aside.
  @discardableResult
  public func startOver(at step: Int) throws -> Int {
    RetentionPolicy.removeLeftovers(in: folder)
    let run = URL(fileURLWithPath: folder).deletingLastPathComponent().path
    for name in FileSystem.list(run) where name.hasPrefix(Self.bestName) && name.hasSuffix(".partial") {
      FileSystem.remove("\(run)/\(name)")
    }
    let count = try RetentionPolicy.setAside(after: step, in: folder)
    let judged = retention.judged(in: folder)
    if !judged.isEmpty || FileSystem.exists(bestPath) { try recordBest(retention.best(of: judged)) }
    return count
  }

  /// Fails if the disk has no room for a checkpoint beside the one that stays while it is written; to be asked before the
  /// first step.
  ///
  /// Base files begin to be read for their fingerprints here, behind the back of the first steps, so that the first
  /// checkpoint need not wait for it.
  ///
  /// - Throws: `FormatError.system` with what is free and what is needed.
  public func requireRoom() throws {
    try FileSystem.makeFolder(folder)
    try FileSystem.requireWritable("\(folder)/\(Checkpoint.folderName(step: 0)).partial")
    let sample = contents(0, RunProgress())
    let size = sample.byteCount
    let present = Checkpoint.steps(in: folder).count
    if let free = FileSystem.freeBytes(folder) {
      let count = present == 0 ? 2 : 1
      guard free / size >= count else {
        let reason = count == 2 ? "room for two checkpoints of" : "room for another checkpoint of"
        throw FormatError.system(
          Problem(
            folder, found: "\(Checkpoint.mebibytes(free)) free",
            expected: "\(reason) \(Checkpoint.mebibytes(size)), since one stays while the next is written",
            hint:
              "Free space, choose another --log_dir, or train fewer parameters, for example with --peft lora."
          ))
      }
      let most = max(1, retention.newest) + max(0, retention.best)
      if free / size < most + 1 - min(present, most) {
        warn(
          "\(folder): \(Checkpoint.mebibytes(free)) free, but the \(most) checkpoints of "
            + "\(Checkpoint.mebibytes(size)) that may stay and the one in work need more; lower "
            + "--keep_checkpoints or --keep_best.")
      }
    }
    try sample.parts.prepareReferences()
  }

  /// Fails if no validation gives the number that is to say which checkpoints are best.
  public func requireMonitor(among names: some Collection<String>) throws(TrainingError) {
    guard retention.best > 0, !names.contains(retention.monitor) else { return }
    throw .badConfiguration(
      Problem(
        "--monitor", found: "'\(retention.monitor)'",
        expected: "what a validation gives: \(names.sorted().joined(separator: ", "))"))
  }

  /// Whether a step has just been judged, and belongs among the best.
  public func isAmongBest(_ progress: RunProgress, step: Int) -> Bool {
    guard retention.best > 0, progress.validationStep == step,
      let score = retention.score(of: progress, step: step)
    else { return false }
    let own = RetentionPolicy.Judged(name: Checkpoint.folderName(step: step), score: score)
    return retention.best(of: retention.judged(in: folder).filter { $0.name != own.name } + [own]).contains(
      own)
  }

  /// Writes the checkpoint of a step, reads it back, and removes those that need not stay.
  ///
  /// - Parameter keepsOthers: whether none is removed, where the newest may be worse than those before.
  /// - Throws: `FormatError.system` if the disk refuses; the checkpoints that were there stand.
  public func save(step: Int, progress: RunProgress, keepsOthers: Bool = false) throws {
    let contents = contents(step, progress)
    for note in contents.parts.notes { warn(note) }
    check(progress, step)
    do {
      try Checkpoint.write(contents, into: folder, warn: warn)
    } catch FormatError.system(var problem) {
      let newest = Checkpoint.steps(in: folder).last
      let stands = newest.map { "\($0) stands and can be resumed." } ?? "There is no checkpoint yet."
      problem.hint = [problem.hint, stands].filter { !$0.isEmpty }.joined(separator: " ")
      throw FormatError.system(problem)
    }
    let judged = retention.judged(in: folder)
    // The list names no checkpoint that may be gone, whenever the process ends.
    try recordBest(retention.best(of: judged))
    if keepsOthers { return }
    for name in retention.superfluous(judged) { RetentionPolicy.remove("\(folder)/\(name)") }
  }

  private static let bestName = "best_ckpts.yaml"

  private var bestPath: String {
    URL(fileURLWithPath: folder).deletingLastPathComponent().appendingPathComponent(Self.bestName).path
  }

  /// Says why a checkpoint cannot be among the best, if that is not plain.
  private func check(_ progress: RunProgress, _ step: Int) {
    guard retention.best > 0, !progress.validation.isEmpty else { return }
    guard let value = progress.validation[retention.monitor] else {
      let near = nearestNames(to: retention.monitor, among: progress.validation.keys).joined(separator: ", ")
      warn(
        "--monitor \(retention.monitor): no validation gives it, so no checkpoint is best; nearest: \(near).")
      return
    }
    if !value.isFinite {
      warn("\(retention.monitor) is not finite: a checkpoint judged by it is never among the best.")
    }
  }

  private func recordBest(_ best: [RetentionPolicy.Judged]) throws {
    guard retention.best > 0 || FileSystem.exists(bestPath) else { return }
    let lines = best.map { "\(jsonText("\(folder)/\($0.name)")): \(yaml($0.score ?? .nan))\n" }
    let text = lines.isEmpty ? "{}\n" : lines.joined()
    if let old = try? FileSystem.read(bestPath), old == Data(text.utf8) { return }
    try FileSystem.write(Data(text.utf8), to: bestPath)
  }

  /// A number as YAML readers take it for one: with a point in front of the exponent.
  private func yaml(_ value: Double) -> String {
    let text = "\(value)"
    guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
    return text[..<exponent] + ".0" + text[exponent...]
  }
}
