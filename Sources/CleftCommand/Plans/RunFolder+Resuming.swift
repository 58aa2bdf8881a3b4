import CleftFormats
import CleftTraining
import Foundation

/// Which checkpoint `--resume_ckpt` means.
extension RunFolder {
  /// The run that `--resume_ckpt` goes on in, locked before its checkpoints are looked at; nil for a checkpoint that was
  /// copied elsewhere, and where there is nothing to resume.
  static func runToResume(_ path: String?, _ options: LogOptions) throws -> RunFolder? {
    guard let path else { return nil }
    let place = path == "last" ? try newestRun(options) : path
    guard FileSystem.isFolder(place) else { return nil }
    let checkpoint =
      FileSystem.exists(place + "/state.json") ? place : try Checkpoint.locate(place)
    return try run(of: checkpoint).map { try RunFolder(locking: $0) }
  }

  /// The checkpoint to go on from: the folder named, or the newest whole one of a run folder; `last` is the newest run of
  /// the experiment's name.
  ///
  /// Of a run, a checkpoint that is damaged is passed over with a warning; one that is named itself is an error.
  ///
  /// - Returns: nil if nothing is to be resumed.
  /// - Throws: `TrainingError.missing` if there is none, `.badData` if none is whole, `.badConfiguration` for a file.
  static func checkpointToResume(
    _ path: String?, _ options: LogOptions, _ log: RunLog
  ) throws -> String? {
    guard let path else { return nil }
    let place = path == "last" ? try newestRun(options) : path
    if FileSystem.exists(place), !FileSystem.isFolder(place) {
      throw TrainingError.badConfiguration(
        Problem(
          "--resume_ckpt \(path)", found: "a file", expected: "a checkpoint folder, a run folder, or last",
          hint:
            "Its weights start a new run with --pretrained_model; the state of another program's optimizer and "
            + "loop is not taken over, since the steps behind it could not be the same."))
    }
    if FileSystem.exists(place + "/state.json") { return place }
    let newest = try Checkpoint.locate(place)
    let folder = URL(fileURLWithPath: newest).deletingLastPathComponent().path
    var firstError: (any Error)?
    for name in Checkpoint.steps(in: folder).reversed() {
      let checkpoint = "\(folder)/\(name)"
      do {
        _ = try Checkpoint.readState(checkpoint)
        return checkpoint
      } catch {
        firstError = firstError ?? error
        log.warn("\(error) The checkpoint before it is taken, if there is one.")
      }
    }
    throw firstError
      ?? TrainingError.missing(Problem(place, found: "no checkpoint", expected: "one to go on from"))
  }

  /// The newest run of the experiment's name.
  private static func newestRun(_ options: LogOptions) throws(TrainingError) -> String {
    let runs = "\(options.log_dir)/CLEFT"
    let name = options.experiment_name
    let all = FileSystem.list(runs).filter { isNamed($0, name) && hasName(name, "\(runs)/\($0)") }
    // A run that ended before its first checkpoint has nothing to go on from.
    let own = all.filter { !Checkpoint.steps(in: "\(runs)/\($0)/checkpoints").isEmpty }
    guard let newest = own.max(by: { order($0, name) < order($1, name) }) else {
      throw .missing(
        Problem(
          "--resume_ckpt last",
          found: "no run \(name.isEmpty ? "without a name" : "named '\(name)'") below \(runs)"
            + (all.isEmpty ? "" : " with a checkpoint"),
          expected: "one to go on from",
          hint: all.isEmpty
            ? "Give --experiment_name, --log_dir or the run's folder." : "Start anew, without --resume_ckpt.")
      )
    }
    return "\(runs)/\(newest)"
  }

  /// Whether a folder's name is that of a run called `name`: a stamp, the name, perhaps a number.
  static func isNamed(_ folder: String, _ name: String) -> Bool {
    guard let stamp = folder.prefixMatch(of: /\d{4}(_\d\d){5}/) else { return false }
    let rest = folder[stamp.range.upperBound...]
    let own = name.isEmpty ? "" : "_" + name
    guard rest.hasPrefix(own) else { return false }
    let suffix = rest.dropFirst(own.count)
    return suffix.isEmpty || suffix.wholeMatch(of: /_\d+/) != nil
  }

  /// Whether a run's own options give it this name: `a_2` may be the second run `a` of a second, or the first `a_2`.
  private static func hasName(_ name: String, _ run: String) -> Bool {
    guard let data = try? FileSystem.read(run + "/resolved.yaml") else { return true }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("experiment_name: ") }) else { return true }
    let value = line.dropFirst("experiment_name: ".count).trimmingCharacters(
      in: CharacterSet(charactersIn: "\"' "))
    return value == name
  }

  /// Stamp and number of a run's folder, which order it in time.
  private static func order(_ folder: String, _ name: String) -> (String, Int) {
    let stamp = folder.prefix(stampFormat.count)
    let rest = folder.dropFirst(stampFormat.count + (name.isEmpty ? 0 : name.count + 1))
    return (String(stamp), Int(rest.dropFirst()) ?? 1)
  }
}
