import CleftFormats
import CleftImaging
import Foundation

/// What `PreparedPictures.prepare` has done.
public struct PrepareReport: Sendable, Equatable {
  /// Different pictures asked for.
  public var total: Int
  /// Those decoded and written in this run that can be used.
  public var written: Int
  /// Those that were there already.
  public var kept: Int
  /// Missing, unreadable and constant pictures, in the order asked for; without rows.
  public var problems: [BadRow]
  /// Length of all records.
  public var bytes: Int
  /// How long it took.
  public var seconds: Double
}

extension PreparedPictures {
  /// Decodes and fits every picture that is new or has changed, and lists it with its source's length and time.
  ///
  /// Can be killed at any moment: what is listed and whole is kept by the next run. A picture that cannot be read is
  /// reported and does not end the run. Memory is bounded by one picture a thread.
  /// - Parameter progress: pictures done and in all; called now and then.
  /// - Throws: `FormatError` for a folder of something else, one in use by another process, a full disk, or one that
  ///   fails while a picture is read.
  public static func prepare(
    paths: [String], dataFolder: String, into folder: String, dicom: DicomRendering, workerCount: Int,
    progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }
  ) throws(FormatError) -> PrepareReport {
    let start = ContinuousClock.now
    var job = try PreparationJob(folder, dataFolder: dataFolder, dicom: dicom, workerCount: workerCount)
    try job.plan(paths)
    let total = job.sources.count
    let doneBefore = total - job.workCount
    let results = try job.write { progress(doneBefore + $0, total) }
    var report = try job.finish(results)
    report.seconds = (ContinuousClock.now - start) / .seconds(1)
    return report
  }
}
