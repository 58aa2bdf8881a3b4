import CleftFormats
import Foundation
import Synchronization

/// A look at every picture of a dataset before anything is trained or scored on it.
public struct PictureVerification {
  private let dataset: ImageTextDataset
  /// The first row of each picture, in table order.
  private let rows: [Sample]
  private let stamps: [FileStamp?]
  /// What is wrong, by picture.
  private var problems: [String: PictureProblem] = [:]

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
  ///   `DataError.system` under either policy if the disk or the memory fails: that is no fault of a row.
  public static func run(
    _ dataset: ImageTextDataset, store: PictureStore, policy: BadRowPolicy, memo: String?, workerCount: Int,
    progress: (_ done: Int, _ of: Int) -> Void
  ) throws(DataError) -> ImageTextDataset {
    var look = try PictureVerification(dataset, store, workerCount: workerCount)
    if policy == .stop { try look.requireNoProblem() }
    guard look.problems.count < look.rows.count else { return try look.remaining() }
    var note = look.staleNote(store)
    note += try look.inspect(store, memo: memo, workerCount: workerCount, progress)
    if policy == .stop { try look.requireNoProblem() }
    var result = try look.remaining()
    result.notes += note
    return result
  }

  private init(
    _ dataset: ImageTextDataset, _ store: PictureStore, workerCount: Int
  ) throws(DataError) {
    self.dataset = dataset
    var seen: Set<String> = []
    let rows = dataset.samples.filter { seen.insert($0.imagePath).inserted }
    stamps = WorkerPool.map(rows.count, workerCount: workerCount) { FileStamp(of: rows[$0].imagePath) }
    self.rows = rows
    // The decoder says what is wrong where there is no file.
    for (row, stamp) in zip(rows, stamps) where stamp == nil {
      problems[row.imagePath] = try store.inspect(row, stamp: nil)
    }
  }

  /// Looks into the files that are there; returns what a run should say about it.
  private mutating func inspect(
    _ store: PictureStore, memo: String?, workerCount: Int, _ progress: (Int, Int) -> Void
  ) throws(DataError) -> [String] {
    let known = memo.map { PictureMemo($0, dicom: store.dicom) }
    var todo: [(row: Sample, stamp: FileStamp)] = []
    for case (let row, let stamp?) in zip(rows, stamps) {
      if let finding = known?.finding(row.imagePath, stamp) {
        problems[row.imagePath] = finding
      } else {
        todo.append((row, stamp))
      }
    }
    let (work, total) = (todo, rows.count)
    let newest = Mutex(known)
    let look = Result { () throws(DataError) in
      try WorkerPool.map(
        work.count, workerCount: workerCount, progress: { progress(total - work.count + $0, total) }
      ) { item throws(DataError) -> PictureProblem? in
        let (row, stamp) = work[item]
        let problem = try store.inspect(row, stamp: stamp)
        newest.withLock { $0?.keep(problem, row.imagePath, stamp) }
        return problem
      }
    }
    // What was found is kept even if the look could not go on.
    var notes: [String] = []
    do {
      try newest.withLock { $0 }?.write()
    } catch {
      notes.append("what was found about the pictures is not kept for the next start: \(error)")
    }
    for (item, problem) in zip(work, try look.get()) { problems[item.row.imagePath] = problem }
    return notes
  }

  /// Says how many prepared pictures will not be used.
  private func staleNote(_ store: PictureStore) -> [String] {
    guard let prepared = store.prepared else { return [] }
    var (stale, absent) = (0, 0)
    for case (let row, let stamp?) in zip(rows, stamps) {
      let found = prepared.row(row.imagePath, dicom: store.dicom, stamp: stamp)
      if found.row == nil { if found.isStale { stale += 1 } else { absent += 1 } }
    }
    if stale + absent == 0 { return [] }
    return [
      "\(prepared.folder): of \(rows.count) pictures \(stale) have changed since and \(absent) are not prepared; "
        + "they are decoded. Run 'cleft prepare' with this dataset's options to read them from there."
    ]
  }

  private func requireNoProblem() throws(DataError) {
    let bad = dataset.samples.filter { problems[$0.imagePath] != nil }
    guard let first = bad.first, let what = problems[first.imagePath] else { return }
    let others =
      switch bad.count - 1 {
      case 0: ""
      case 1: ", and 1 other row"
      case let count: ", and \(count) other rows"
      }
    let problem = Problem(
      "\(first.origin): \(first.imagePath)", found: what.reason + others,
      hint:
        "Fix or remove them, run 'cleft check-data' for the list, or pass --on_bad_row skip.")
    let areAllMissing = bad.allSatisfy { problems[$0.imagePath]?.fault == .missing }
    throw areAllMissing ? .missing(problem) : .badData(problem)
  }

  /// The dataset without its bad rows.
  private func remaining() throws(DataError) -> ImageTextDataset {
    var result = dataset
    result.samples = dataset.samples.filter { problems[$0.imagePath] == nil }
    for sample in dataset.samples {
      guard let problem = problems[sample.imagePath] else { continue }
      result.badRows.append(
        BadRow(origin: sample.origin, imagePath: sample.imagePath, reason: problem.reason))
      result.leftOut["\(problem.fault.rawValue) picture", default: 0] += 1
    }
    // Bad pictures are among the reasons already.
    var counted = result
    counted.badRows = dataset.badRows
    do {
      try counted.requireRows()
    } catch {
      var problem = error.problem
      problem.hint = "Check --data_dir and the paths in the table."
      let areAllMissing = !rows.isEmpty && problems.values.allSatisfy { $0.fault == .missing }
      throw areAllMissing ? .missing(problem) : .badData(problem)
    }
    return result
  }
}
