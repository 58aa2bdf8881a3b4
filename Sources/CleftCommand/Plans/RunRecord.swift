import CleftFormats
import CleftTraining
import Foundation
import Glibc
import Yams

/// How a run stands.
enum RunStanding: String, Encodable {
  /// A process is at work in it.
  case running
  /// All steps are done.
  case finished
  /// Ended before its last step with a checkpoint to go on from.
  case resumable
  /// Ended before its last step, and nothing to go on from.
  case stopped
  /// Files are missing or cannot be read; the notes say which.
  case damaged

  /// As a table says it.
  var text: String { self == .resumable ? "stopped (resumable)" : rawValue }
}

/// What one run folder says about a run.
struct RunRecord {
  /// The folder.
  let path: String
  /// The folder's name.
  let name: String
  let standing: RunStanding
  /// Optimizer steps that were planned, nil if the options do not say.
  let plannedSteps: Int?
  /// Steps done as far as numbers or checkpoints show.
  let step: Int
  /// Step of the newest whole checkpoint.
  let checkpointStep: Int?
  /// Options of the run, in the order of the file.
  let options: [(name: String, value: String)]
  let metrics: RunMetrics
  /// When steps were done.
  let clock: RunClock
  /// What is wrong with the folder's files.
  let notes: [String]

  /// Whether a folder is that of a run.
  static func isRun(_ path: String) -> Bool {
    ["resolved.yaml", "metrics.jsonl"].contains { FileSystem.exists("\(path)/\($0)") }
  }

  /// Reads a folder; what is wrong with its files makes it a damaged run, not an error.
  init(_ path: String) {
    self.path = path
    name = URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
    var notes: [String] = []
    var isDamaged = false
    func read<T>(or absent: T, _ body: () throws -> T) -> T {
      do { return try body() } catch {
        isDamaged = true
        notes.append(Self.text(error, below: path))
        return absent
      }
    }
    let options = read(or: []) { try Self.options("\(path)/resolved.yaml") }
    let metrics = read(or: RunMetrics()) { try RunMetrics("\(path)/metrics.jsonl") }
    let newest = Checkpoint.steps(in: "\(path)/checkpoints").last
    let saved = read(or: nil as SavedState?) {
      try newest.map { try SavedState("\(path)/checkpoints/\($0)") }
    }
    let planned = options.first { $0.name == "max_steps" }.flatMap { Int($0.value) }
    if planned == nil, !options.isEmpty {
      isDamaged = true
      notes.append("resolved.yaml: no max_steps")
    }
    self.notes = notes + metrics.notes
    isDamaged = isDamaged || !metrics.unreadableLines.isEmpty
    step = max(metrics.lastStep, saved?.step ?? 0)
    // Numbers come before the checkpoint of their step: only with that one has the end been reached.
    let isDone = planned.map { (saved?.step ?? metrics.lastStep) >= $0 } ?? false
    standing =
      Self.isHeld("\(path)/.lock")
      ? .running : isDamaged ? .damaged : isDone ? .finished : saved == nil ? .stopped : .resumable
    clock = RunClock(metrics, options: options, saved: saved)
    (checkpointStep, plannedSteps) = (saved?.step, planned)
    (self.options, self.metrics) = (options, metrics)
  }

  /// Names and values of `resolved.yaml`.
  private static func options(_ path: String) throws -> [(name: String, value: String)] {
    let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
    guard let node = try? Yams.compose(yaml: text), let mapping = node.mapping else {
      throw TrainingError.badData(Problem(path, found: "no map of options"))
    }
    return mapping.compactMap { key, value in
      guard let name = key.string else { return nil }
      let items = value.sequence.map { $0.compactMap(\.string).joined(separator: ", ") }
      return (name, value.string ?? items ?? "(nested)")
    }
  }

  /// Whether a living process holds a lock; asking does not keep it.
  private static func isHeld(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    if flock(descriptor, LOCK_SH | LOCK_NB) == 0 {
      flock(descriptor, LOCK_UN)
      return false
    }
    return errno == EWOULDBLOCK
  }

  private static func text(_ error: any Error, below folder: String) -> String {
    guard let error = error as? any CleftError else { return "\(error)" }
    let problem = error.problem
    let place =
      problem.location.hasPrefix(folder + "/")
      ? String(problem.location.dropFirst(folder.count + 1)) : problem.location
    return "\(place): \(problem.found)"
  }
}

/// What `state.json` of a checkpoint says, whatever else it holds.
struct SavedState {
  let step: Int
  /// Seconds of training up to it; nil if it does not say.
  let seconds: Double?

  private struct Stored: Decodable {
    struct Progress: Decodable { var seconds: Double? }
    let step: Int
    let progress: Progress?
  }

  /// Reads the state of a checkpoint's folder; the weights are not looked at.
  init(_ folder: String) throws {
    let path = "\(folder)/state.json"
    guard let stored = try? JSONDecoder().decode(Stored.self, from: try FileSystem.read(path)) else {
      throw TrainingError.badData(Problem(path, found: "not a run state"))
    }
    step = stored.step
    seconds = stored.progress?.seconds.flatMap { $0 > 0 ? $0 : nil }
  }
}
