import CleftFormats
import CleftTraining
import Foundation
import Glibc

/// Finds run folders, oldest first.
struct RunFinder {
  /// Folders that are runs or hold runs.
  let folders: [String]
  /// Part of a run's name, or a pattern with `*`, `?` or `[…]` for all of it.
  var name: String?
  /// How many of the newest are wanted; nil for all.
  var newest: Int?

  /// What was found.
  struct Found {
    let runs: [RunRecord]
    /// Folders beside the runs that are none.
    let skipped: [String]
  }

  /// Looks into the folders.
  ///
  /// - Throws: `TrainingError.missing` if a folder is not there or holds no run, or no run has the name.
  func callAsFunction() throws -> Found {
    var paths: [String] = []
    var skipped: [String] = []
    for folder in folders {
      let (runs, others) = try look(into: (folder as NSString).expandingTildeInPath)
      paths += runs
      skipped += others
    }
    var seen: Set<String> = []
    paths = paths.filter { seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted }
    let wanted = paths.filter { matches(Self.name($0)) }
    guard !wanted.isEmpty else {
      let names = nearestNames(to: name ?? "", among: Set(paths.map(Self.name)))
      throw TrainingError.missing(
        Problem(
          "--name \(name ?? "")", found: "none of \(paths.count) run(s) is called that",
          expected: "part of a name or a pattern for all of it",
          hint: "Nearest: \(names.joined(separator: ", "))."))
    }
    let ages = Dictionary(uniqueKeysWithValues: wanted.map { ($0, Self.age($0)) })
    let sorted = wanted.sorted { one, other in
      let (left, right) = (ages[one] ?? "", ages[other] ?? "")
      return left == right ? one.compare(other, options: .numeric) == .orderedAscending : left < right
    }
    return Found(runs: sorted.suffix(newest ?? .max).map { RunRecord($0) }, skipped: skipped)
  }

  private static func name(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
  }

  private func matches(_ candidate: String) -> Bool {
    guard let name else { return true }
    return name.contains(where: "*?[".contains) ? fnmatch(name, candidate, 0) == 0 : candidate.contains(name)
  }

  private func look(into folder: String) throws(TrainingError) -> (runs: [String], others: [String]) {
    guard FileSystem.exists(folder) else {
      throw .missing(
        Problem(
          folder, found: "no such folder", expected: "a run folder or a folder of runs",
          hint: "Name one, or pass --log_dir."))
    }
    if RunRecord.isRun(folder) { return ([folder], []) }
    var (runs, others): ([String], [String]) = ([], [])
    for name in FileSystem.list(folder) where !name.hasPrefix(".") && FileSystem.isFolder("\(folder)/\(name)")
    {
      let path = "\(folder)/\(name)"
      if RunRecord.isRun(path) {
        runs.append(path)
      } else if name == "CLEFT" {
        // The folder of all runs holds them one level below.
        let inner = FileSystem.list(path).map { "\(path)/\($0)" }.filter(FileSystem.isFolder)
        runs += inner.filter(RunRecord.isRun)
        others += inner.filter { !RunRecord.isRun($0) }
      } else {
        others.append(path)
      }
    }
    guard !runs.isEmpty else {
      throw .missing(
        Problem(
          folder, found: "no run in it",
          expected: "resolved.yaml or metrics.jsonl in it or in folders below it",
          hint: "Name a run folder or the --log_dir of 'cleft train'."))
    }
    return (runs, others)
  }

  /// When a run began: the stamp of its name, or when its options were written, in the form of a stamp.
  private static func age(_ path: String) -> String {
    let name = name(path)
    if let stamp = name.prefixMatch(of: /\d{4}(_\d\d){5}/) { return String(stamp.0) }
    let files = ["resolved.yaml", "metrics.jsonl"].map { "\(path)/\($0)" }
    let date = files.lazy.compactMap {
      try? FileManager.default.attributesOfItem(atPath: $0)[.modificationDate] as? Date
    }.first
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = RunFolder.stampFormat
    return format.string(from: date ?? .distantPast)
  }
}
