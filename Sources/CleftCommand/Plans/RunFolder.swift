import CleftFormats
import CleftTraining
import Foundation

/// The folder of one run, held by a lock while the run lasts.
final class RunFolder {
  /// Where it lies.
  let path: String
  private let lock: Int32

  private static let stampFormat = "yyyy_MM_dd_HH_mm_ss"

  /// The folder of a checkpoint that is resumed, `RUN/checkpoints/step-…`; otherwise a new one,
  /// `<logs>/CLEFT/<stamp>_<name>`.
  ///
  /// A new run never uses a folder that exists.
  ///
  /// - Throws: `TrainingError.badConfiguration` if another process is at work in the folder.
  init(resuming checkpoint: String?, logs: String, name: String) throws {
    if let owner = checkpoint.flatMap(Self.run(of:)) {
      path = owner
    } else {
      path = try Self.make(logs, name)
    }
    lock = open(path + "/.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw TrainingError.badConfiguration(
        Problem(path, found: "another process at work in this run", hint: "Wait for it, or start a new run."))
    }
  }

  deinit { close(lock) }

  /// Whether a folder's name is that of a run called `name`: a stamp, the name, perhaps a number.
  static func isNamed(_ folder: String, _ name: String) -> Bool {
    guard folder.count > stampFormat.count else { return false }
    let rest = folder.dropFirst(stampFormat.count)
    let suffix = rest.dropFirst(name.count + 1)
    return rest.hasPrefix("_" + name) && (suffix.isEmpty || suffix.wholeMatch(of: /_\d+/) != nil)
  }

  /// The run that a checkpoint lies in; nil for one that was copied elsewhere.
  private static func run(of checkpoint: String) -> String? {
    let checkpoints = URL(fileURLWithPath: checkpoint).deletingLastPathComponent()
    guard checkpoints.lastPathComponent == "checkpoints" else { return nil }
    let run = checkpoints.deletingLastPathComponent().path
    return FileSystem.exists(run + "/metrics.jsonl") ? run : nil
  }

  private static func make(_ logs: String, _ name: String) throws -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = stampFormat
    let base = "\(logs)/CLEFT/\(format.string(from: Date()))_\(name)"
    try FileSystem.makeFolder("\(logs)/CLEFT")
    var number = 1
    while true {
      let folder = number == 1 ? base : "\(base)_\(number)"
      if mkdir(folder, 0o755) == 0 { return folder }
      guard errno == EEXIST else {
        throw FormatError.system(
          Problem(folder, found: "cannot be made (\(String(cString: strerror(errno))))"))
      }
      number += 1
    }
  }
}
