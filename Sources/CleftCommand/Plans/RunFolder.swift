import CleftFormats
import CleftTraining
import Foundation

/// The folder of one run, held by a lock while the run lasts.
final class RunFolder {
  /// Where it lies.
  let path: String
  private let lock: Int32

  /// How a folder's name begins, as a date format.
  static let stampFormat = "yyyy_MM_dd_HH_mm_ss"

  /// A new folder, `<log_dir>/CLEFT/<stamp>_<experiment_name>`; never one that exists.
  ///
  /// - Throws: `FormatError.system` if nothing can be written there.
  convenience init(_ options: LogOptions) throws {
    try self.init(locking: Self.make(options.log_dir, options.experiment_name))
  }

  /// The folder of a run that goes on; what a killed process left half-written in it is removed.
  ///
  /// - Throws: `TrainingError.badConfiguration` if another process is at work in the folder, `FormatError.system` if
  ///   nothing can be written there.
  init(locking path: String) throws {
    self.path = path

    lock = open(path + "/.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0 else {
      throw FormatError.system(
        Problem(
          path, found: "cannot be written (\(String(cString: strerror(errno))))",
          hint:
            "Make it writable, or copy the checkpoint elsewhere: a run that goes on from it is then a new one."
        ))
    }
    // Some network disks have no locks; there the run goes on without one.
    if flock(lock, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      throw TrainingError.badConfiguration(
        Problem(path, found: "another process at work in this run", hint: "Wait for it, or start a new run."))
    }
    for name in FileSystem.list(path) where name.hasSuffix(".partial") {
      FileSystem.remove("\(path)/\(name)")
    }
  }

  deinit { if lock >= 0 { close(lock) } }

  /// The run that a checkpoint lies in; nil for one that was copied elsewhere.
  static func run(of checkpoint: String) -> String? {
    let checkpoints = URL(fileURLWithPath: checkpoint).deletingLastPathComponent()
    guard checkpoints.lastPathComponent == "checkpoints" else { return nil }
    let run = checkpoints.deletingLastPathComponent().path
    return FileSystem.exists(run + "/metrics.jsonl") ? run : nil
  }

  private static func make(_ logs: String, _ name: String) throws -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = stampFormat
    let stamp = format.string(from: Date())
    let base = "\(logs)/CLEFT/\(stamp)\(name.isEmpty ? "" : "_" + name)"
    try FileSystem.makeFolder("\(logs)/CLEFT")
    var number = 1
    while true {
      let folder = number == 1 ? base : "\(base)_\(number)"
      if mkdir(folder, 0o755) == 0 { return folder }
      guard errno == EEXIST else {
        throw FormatError.system(
          Problem(
            folder, found: "cannot be made (\(String(cString: strerror(errno))))",
            hint: "Choose another --log_dir."))
      }
      number += 1
    }
  }
}
