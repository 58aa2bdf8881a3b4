import ArgumentParser
import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining
import Foundation

/// `cleft prepare`: decode and fit every picture of a dataset once, for all runs to come.
struct PrepareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Decode every picture of a dataset once, so that later runs only read 64 KiB each.",
    discussion: """
      Later runs give the same bits with and without it. Pictures of all splits are prepared; those that are there and \
      whose files have not changed are kept, so it can be stopped at any moment and started again.
      """)

  @Option(help: "Folder to write to; default: prepared256 in the data folder, or beside a table of your own.")
  var out: String?
  @Flag(help: "Decode everything again and compare it with what is there, bit by bit; nothing is written.")
  var verify = false
  @Option(help: "fixed, or reference: DICOM values times 255 / maximum, as published.")
  var compat: Compatibility = .fixed
  @Option(help: "File with one path a line: these pictures instead of a dataset's.") var list: String?
  @OptionGroup(title: "Data") var data: DataOptions

  private var folder: String { out ?? data.usualPreparedFolder }
  private var workerCount: Int { max(1, min(data.pictures.num_workers, Runtime.availableThreads)) }

  func run() throws {
    let log = RunLog()
    let (paths, badRows) = try list.map { (try PathList.read($0), []) } ?? pictures()
    for row in badRows { log.say("\(row.origin): \(row.reason)") }
    guard !paths.isEmpty || !badRows.isEmpty else {
      throw DataError.missing(
        Problem(
          data.folder, found: "no pictures of --dataset \(data.entry.name)", expected: "at least one table",
          hint: "Check --data_dir and --dataset."))
    }
    if verify { return try compare(paths, badRows, log) }
    try requireGood(badRows + prepare(paths, badRows, log))
  }

  /// Pictures of all splits, and rows of their tables that cannot be used, those of a table with two splits once.
  private func pictures() throws -> (paths: [String], badRows: [BadRow]) {
    let parts = try data.datasets(compat.quirks)
    var seen: Set<String> = []
    return (
      parts.flatMap(\.dataset.samples).map(\.imagePath),
      parts.flatMap(\.dataset.badRows).filter { seen.insert("\($0.origin) \($0.imagePath)").inserted }
    )
  }

  /// Prepares pictures; returns those that cannot be used.
  private func prepare(_ paths: [String], _ badRows: [BadRow], _ log: RunLog) throws -> [BadRow] {
    var line = ProgressLine(log)
    let report = try PreparedPictures.prepare(
      paths: paths, dataFolder: data.pictureFolder, into: folder, dicom: compat.dicomRendering,
      workerCount: workerCount
    ) { line.show(done: $0, of: $1) }
    for problem in report.problems { log.say("\(problem.imagePath): \(problem.reason)") }
    let rate = String(
      format: "%.1f s, %.0f pictures/s", report.seconds, Double(report.written) / report.seconds)
    print(
      "\(report.total) pictures: \(report.written) prepared, \(report.kept) were there, "
        + "\(report.problems.count) cannot be used\(rowText(badRows)); \(report.bytes >> 20) MiB in \(folder), \(rate)"
    )
    return report.problems
  }

  /// Ends with the first bad row or picture, unless they are to be skipped.
  private func requireGood(_ bad: [BadRow]) throws {
    guard data.pictures.on_bad_row == .stop, let first = bad.first else { return }
    let others = bad.count > 1 ? ", and \(bad.count - 1) other rows or pictures" : ""
    throw DataError.badData(
      Problem(
        first.origin.isEmpty ? first.imagePath : first.origin, found: first.reason + others,
        hint: "All others are prepared. Fix or remove them, or pass --on_bad_row skip."))
  }

  private func compare(_ paths: [String], _ badRows: [BadRow], _ log: RunLog) throws {
    let prepared = try PreparedPictures.open(folder, dataFolder: data.pictureFolder)
    var line = ProgressLine(log)
    let result = prepared.verify(paths: paths, dicom: compat.dicomRendering, workerCount: workerCount) {
      line.show(done: $0, of: $1)
    }
    for problem in result.differing { log.say("\(problem.imagePath): \(problem.reason)") }
    print(
      "\(result.equal) pictures equal, \(result.differing.count) differ, \(result.stale) have changed since, "
        + "\(result.absent) are not prepared, \(result.unusable) cannot be used\(rowText(badRows))")
    if prepared.unusableRows > 0 { log.warn("\(prepared.unusableRows) lines of the index name no record.") }
    guard let first = result.differing.first else {
      guard result.stale + result.absent > 0 else { return }
      throw DataError.badData(
        Problem(
          folder, found: "\(result.stale) pictures that have changed and \(result.absent) that are missing",
          expected: "every picture", hint: "Run 'cleft prepare' again."))
    }
    throw DataError.badData(
      Problem(
        first.imagePath, found: first.reason, expected: "equal bits",
        hint: "Delete \(folder) and run 'cleft prepare' again."))
  }

  private func rowText(_ badRows: [BadRow]) -> String {
    badRows.isEmpty ? "" : "; \(badRows.count) bad row(s) of the tables left out"
  }
}
