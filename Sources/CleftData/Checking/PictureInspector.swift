import CleftImaging
import CleftTensor

/// Decodes many pictures and says what came of each.
public protocol PictureInspector: Sendable {
  /// Findings of the pictures, in the order of their paths, whatever the order in which they were decoded.
  ///
  /// - Parameter progress: told now and then how many are done.
  /// - Throws: only if no picture at all can be inspected; a bad picture is a finding.
  func inspect(_ paths: [String], progress: (Int) -> Void) throws -> [PictureFinding]
}

/// Decodes in this process: nothing to start, but a picture that crashes a decoder takes the process along.
public struct DirectInspector: PictureInspector {
  /// How stored DICOM values become gray levels.
  public let dicom: DicomRendering

  /// Makes an inspector.
  public init(dicom: DicomRendering = .display) { self.dicom = dicom }

  /// Findings of the pictures, decoded on as many threads as the budget has.
  public func inspect(_ paths: [String], progress: (Int) -> Void) throws -> [PictureFinding] {
    WorkerPool.map(paths.count, workerCount: Runtime.threadCount, progress: progress) { [dicom] in
      PictureFinding(of: paths[$0], dicom: dicom)
    }
  }
}
