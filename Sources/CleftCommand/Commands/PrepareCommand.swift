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

  @Option(help: "Folder to write to; default: prepared256 below the data folder.") var out: String?
  @Flag(help: "Decode everything again and compare it with what is there, bit by bit; nothing is written.")
  var verify = false
  @Option(help: "fixed, or reference: DICOM values times 255 / maximum, as published.")
  var compat: Compatibility = .fixed
  @Option(help: "File with one path a line: these pictures instead of a dataset's.") var list: String?
  @OptionGroup(title: "Data") var data: DataOptions

  private var folder: String { out ?? "\(data.folder)/\(PreparedPictures.defaultName)" }
  private var rendering: DicomRendering { compat == .reference ? .maximum : .display }
  private var workerCount: Int { max(1, min(data.pictures.num_workers, Runtime.availableThreads)) }

  func run() throws {
    let log = RunLog()
    let paths =
      try list.map(PathList.read) ?? data.allSamples(isReference: compat == .reference).map(\.imagePath)
    guard !paths.isEmpty else {
      throw DataError.missing(
        Problem(
          data.folder, found: "no pictures of --dataset \(data.entry.name)", expected: "at least one table",
          hint: "Check --data_dir and --dataset."))
    }
    if verify { try compare(paths, log) } else { try prepare(paths, log) }
  }

  private func prepare(_ paths: [String], _ log: RunLog) throws {
    var line = ProgressLine(log)
    let report = try PreparedPictures.prepare(
      paths: paths, dataFolder: data.folder, into: folder, dicom: rendering, workerCount: workerCount
    ) { now in
      line.show(done: now.done, of: now.total, rate: now.picturesPerSecond, secondsLeft: now.secondsLeft)
    }
    for problem in report.problems { log.say("\(problem.path): \(problem.reason)") }
    let rate = String(
      format: "%.1f s, %.0f pictures/s", report.seconds, Double(report.written) / report.seconds)
    print(
      "\(report.total) pictures: \(report.written) prepared, \(report.kept) were there, "
        + "\(report.problems.count) cannot be used; \(report.bytes >> 20) MiB in \(folder), \(rate)")
    guard data.pictures.on_bad_row == .stop, let first = report.problems.first else { return }
    let others = report.problems.count > 1 ? ", and \(report.problems.count - 1) other pictures" : ""
    throw DataError.badData(
      Problem(
        first.path, found: first.reason + others,
        hint: "All others are prepared. Fix or remove them, or pass --on_bad_row skip."))
  }

  private func compare(_ paths: [String], _ log: RunLog) throws {
    let prepared = try PreparedPictures.open(folder, dataFolder: data.folder)
    var line = ProgressLine(log)
    let start = ContinuousClock.now
    let result = prepared.verify(paths: paths, dicom: rendering, workerCount: workerCount) { done, count in
      let rate = Double(done) / max((ContinuousClock.now - start) / .seconds(1), 1e-9)
      line.show(done: done, of: count, rate: rate, secondsLeft: rate > 0 ? Double(count - done) / rate : nil)
    }
    for problem in result.differing { log.say("\(problem.path): \(problem.reason)") }
    print(
      "\(result.equal) pictures equal, \(result.differing.count) differ, \(result.stale) have changed since, "
        + "\(result.absent) are not prepared")
    guard let first = result.differing.first else { return }
    throw DataError.badData(
      Problem(
        first.path, found: first.reason, expected: "equal bits",
        hint: "Delete \(folder) and run 'cleft prepare' again."))
  }
}

/// How far a long job is: always on a terminal, every half minute elsewhere.
private struct ProgressLine {
  private let log: RunLog
  private var lastLine = ContinuousClock.now

  init(_ log: RunLog) { self.log = log }

  mutating func show(done: Int, of total: Int, rate: Double, secondsLeft: Double?) {
    let left =
      secondsLeft.map {
        Duration.seconds($0).formatted(.units(allowed: [.hours, .minutes, .seconds], width: .narrow))
      } ?? "?"
    let isMilestone = ContinuousClock.now - lastLine > .seconds(30)
    if isMilestone { lastLine = .now }
    log.progress(
      "\(done)/\(total) pictures  \(String(format: "%.0f", rate)) pictures/s  \(left) left",
      isMilestone: isMilestone)
  }
}
