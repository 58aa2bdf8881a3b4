import CleftFormats
import CleftImaging
import Foundation

/// What `PreparedPictures.verify` has found.
public struct PreparedVerification: Sendable, Equatable {
  /// Pictures whose records equal what decoding gives.
  public var equal = 0
  /// Pictures whose records differ from what decoding gives, or are damaged; without rows.
  public var differing: [BadRow] = []
  /// Pictures whose files have changed since; their records are not used.
  public var stale = 0
  /// Pictures that could be prepared and are not, or not in this rendering.
  public var absent = 0
  /// Pictures that cannot be decoded, so that there is nothing to prepare.
  public var unusable = 0
}

extension PreparedPictures {
  /// Decodes every picture again and compares it with its record, bit by bit; nothing is written.
  public func verify(
    paths: [String], dicom: DicomRendering, workerCount: Int, progress: (_ done: Int, _ of: Int) -> Void
  ) -> PreparedVerification {
    var seen: Set<String> = []
    let distinct = paths.filter { seen.insert($0).inserted }
    let outcomes = WorkerPool.map(
      distinct.count, workerCount: workerCount, progress: { progress($0, distinct.count) }
    ) { self.compare(distinct[$0], dicom) }
    var result = PreparedVerification()
    for (path, outcome) in zip(distinct, outcomes) {
      switch outcome {
      case .equal: result.equal += 1
      case .stale: result.stale += 1
      case .absent: result.absent += 1
      case .unusable: result.unusable += 1
      case .differs(let reason):
        result.differing.append(BadRow(origin: "", imagePath: path, reason: reason))
      }
    }
    return result
  }

  private enum Outcome {
    case equal, stale, absent, unusable
    case differs(String)
  }

  private func compare(_ path: String, _ dicom: DicomRendering) -> Outcome {
    switch lookup(path, dicom: dicom) {
    case .stale: return .stale
    case .absent: return (try? ImageDecoder.decode(path, dicom: dicom)) == nil ? .unusable : .absent
    case .damaged: return .differs("a record whose fingerprint does not hold")
    case .found(let image, _):
      guard let decoded = try? ImageDecoder.decode(path, dicom: dicom) else {
        return .differs("a file that can no longer be decoded")
      }
      if ImagePipeline.fitted(decoded) == image { return .equal }
      return .differs("a record that differs from what decoding gives")
    }
  }
}
