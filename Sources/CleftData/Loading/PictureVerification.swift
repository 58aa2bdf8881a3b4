import CleftFormats
import Foundation

/// A look at every picture of a dataset before anything is trained or scored on it.
public struct PictureVerification {
  private let dataset: ImageTextDataset
  /// The pictures, each once, in table order.
  private let paths: [String]
  private let stamps: [FileStamp?]
  /// What is wrong, by picture.
  private var problems: [String: Finding] = [:]

  private enum Finding {
    case missing
    case constant(String)
    case unreadable(String)

    var reason: String {
      switch self {
      case .missing: "no such file"
      case .constant(let reason), .unreadable(let reason): reason
      }
    }

    /// What it is counted as.
    var group: String {
      switch self {
      case .missing: "missing picture"
      case .constant: "constant picture"
      case .unreadable: "unreadable picture"
      }
    }

    var isMissing: Bool { if case .missing = self { true } else { false } }
  }

  /// Looks at every picture once: in `memo`, among the prepared ones, or by decoding it.
  ///
  /// Files that are not there are found before anything is decoded. Pictures that are decoded stay in the store's
  /// memory as far as it goes. Equal files give equal results, whatever the number of threads.
  /// - Parameters:
  ///   - policy: `stop` for an error that names the first row whose picture is missing, damaged or constant; `skip` to
  ///     leave such rows out.
  ///   - memo: file that keeps what was found, so that the next look is quick; nil for none.
  ///   - progress: pictures done and in all; called now and then.
  /// - Throws: `DataError.missing` if all bad rows are without a file, `.badData` otherwise; also if no row remains.
  public static func run(
    _ dataset: ImageTextDataset, store: PictureStore, policy: BadRowPolicy, memo: String?, workerCount: Int,
    progress: (_ done: Int, _ of: Int) -> Void
  ) throws(DataError) -> ImageTextDataset {
    var look = PictureVerification(dataset, workerCount: workerCount)
    if policy == .stop { try look.requireNoProblem() }
    guard look.problems.count < look.paths.count else { return try look.remaining() }
    var note = look.staleNote(store)
    note += look.inspect(store, memo: memo, workerCount: workerCount, progress)
    if policy == .stop { try look.requireNoProblem() }
    var result = try look.remaining()
    result.notes += note
    return result
  }

  private init(_ dataset: ImageTextDataset, workerCount: Int) {
    self.dataset = dataset
    var seen: Set<String> = []
    let paths = dataset.samples.map(\.imagePath).filter { seen.insert($0).inserted }
    stamps = WorkerPool.map(paths.count, workerCount: workerCount) { FileStamp(of: paths[$0]) }
    self.paths = paths
    for (path, stamp) in zip(paths, stamps) where stamp == nil { problems[path] = .missing }
  }

  /// Looks into the files that are there; returns what a run should say about it.
  private mutating func inspect(
    _ store: PictureStore, memo: String?, workerCount: Int, _ progress: (Int, Int) -> Void
  ) -> [String] {
    var known = memo.map { PictureMemo($0, dicom: store.dicom) }
    var todo: [(path: String, stamp: FileStamp)] = []
    for case (let path, let stamp?) in zip(paths, stamps) {
      if let verdict = known?.verdict(path, stamp) { take(verdict, path) } else { todo.append((path, stamp)) }
    }
    let (work, total) = (todo, paths.count)
    let verdicts = WorkerPool.map(
      work.count, workerCount: workerCount, progress: { progress(total - work.count + $0, total) }
    ) { store.inspect(work[$0].path, stamp: work[$0].stamp) }
    for (item, verdict) in zip(work, verdicts) {
      take(verdict, item.path)
      known?.keep(verdict, item.path, item.stamp)
    }
    do {
      try known?.write()
      return []
    } catch {
      return ["what was found about the pictures is not kept for the next start: \(error)"]
    }
  }

  private mutating func take(_ verdict: PictureStore.Verdict, _ path: String) {
    switch verdict {
    case .good: break
    case .constant(let reason): problems[path] = .constant(reason)
    case .unreadable(let reason): problems[path] = .unreadable(reason)
    }
  }

  /// Says how many prepared pictures will not be used.
  private func staleNote(_ store: PictureStore) -> [String] {
    guard let prepared = store.prepared else { return [] }
    var (stale, absent) = (0, 0)
    for case (let path, let stamp?) in zip(paths, stamps) {
      let found = prepared.row(path, dicom: store.dicom, stamp: stamp)
      if found.row == nil { if found.isStale { stale += 1 } else { absent += 1 } }
    }
    if stale + absent == 0 { return [] }
    return [
      "\(prepared.folder): of \(paths.count) pictures \(stale) have changed since and \(absent) are not prepared; "
        + "they are decoded. Run 'cleft prepare' again to read them from there."
    ]
  }

  private func requireNoProblem() throws(DataError) {
    let bad = dataset.samples.filter { problems[$0.imagePath] != nil }
    guard let first = bad.first, let finding = problems[first.imagePath] else { return }
    let others =
      switch bad.count - 1 {
      case 0: ""
      case 1: ", and 1 other row"
      case let count: ", and \(count) other rows"
      }
    let problem = Problem(
      "\(first.origin): \(first.imagePath)", found: finding.reason + others,
      hint:
        "Fix or remove them, run 'cleft check-data' for the list, or pass --on_bad_row skip.")
    let areAllMissing = bad.allSatisfy { problems[$0.imagePath]?.isMissing ?? true }
    throw areAllMissing ? .missing(problem) : .badData(problem)
  }

  /// The dataset without its bad rows.
  private func remaining() throws(DataError) -> ImageTextDataset {
    var result = dataset
    result.samples = dataset.samples.filter { problems[$0.imagePath] == nil }
    for sample in dataset.samples {
      guard let finding = problems[sample.imagePath] else { continue }
      result.badRows.append(
        BadRow(origin: sample.origin, imagePath: sample.imagePath, reason: finding.reason))
      result.leftOut[finding.group, default: 0] += 1
    }
    if !result.samples.isEmpty { return result }
    let reasons = result.leftOut.map { "\($1) \($0)" }.sorted().joined(separator: ", ")
    let problem = Problem(
      dataset.table, found: "no usable row\(reasons.isEmpty ? "" : " (left out: \(reasons))")",
      expected: "at least one", hint: "Check --data_dir and the paths in the table.")
    let areAllMissing = !paths.isEmpty && problems.values.allSatisfy(\.isMissing)
    throw areAllMissing ? .missing(problem) : .badData(problem)
  }
}
