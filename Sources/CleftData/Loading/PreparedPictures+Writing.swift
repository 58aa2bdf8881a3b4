import CleftFormats
import CleftImaging
import Foundation

/// How far preparing is.
public struct PrepareProgress: Sendable, Equatable {
  /// Pictures that are done, those of earlier runs included.
  public var done: Int
  /// Pictures in all.
  public var total: Int
  /// Pictures a second in this run.
  public var picturesPerSecond: Double
  /// Seconds that the rest will take; nil before the first picture.
  public var secondsLeft: Double? {
    picturesPerSecond > 0 ? Double(total - done) / picturesPerSecond : nil
  }
}

/// A picture that cannot be used, and why.
public struct PictureProblem: Sendable, Equatable {
  /// Its file.
  public var path: String
  /// What is wrong, in one line.
  public var reason: String
}

/// What `PreparedPictures.prepare` has done.
public struct PrepareReport: Sendable, Equatable {
  /// Different pictures asked for.
  public var total: Int
  /// Those decoded and written in this run.
  public var written: Int
  /// Those that were there already.
  public var kept: Int
  /// Missing, unreadable and constant pictures, in the order asked for.
  public var problems: [PictureProblem]
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
  /// - Throws: `FormatError` for a folder of something else, one in use by another process, or a full disk.
  public static func prepare(
    paths: [String], dataFolder: String, into folder: String, dicom: DicomRendering, workerCount: Int,
    progress: (PrepareProgress) -> Void = { _ in }
  ) throws(FormatError) -> PrepareReport {
    let start = ContinuousClock.now
    var job = try PreparationJob(folder, dataFolder: dataFolder, dicom: dicom, workerCount: workerCount)
    try job.plan(paths)
    let total = job.sources.count
    let doneBefore = total - job.workCount
    let results = try job.write { done in
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      progress(
        PrepareProgress(
          done: doneBefore + done, total: total, picturesPerSecond: Double(done) / max(seconds, 1e-9)))
    }
    var report = try job.finish(results)
    report.seconds = (ContinuousClock.now - start) / .seconds(1)
    return report
  }
}
