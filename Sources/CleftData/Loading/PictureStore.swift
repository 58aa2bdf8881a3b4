import CleftFormats
import CleftImaging
import Synchronization

/// Where a run's pictures come from: memory, the prepared file, or decoding.
///
/// Pictures as evaluation sees them are kept in memory up to a limit, so that small sets are decoded once.
public final class PictureStore: Sendable {
  /// From a decoded picture to what the model sees.
  public let pipeline: ImagePipeline
  private let dicom: DicomRendering
  private let limitBytes: Int
  private let memory = Mutex<(byPath: [String: GrayImage], bytes: Int)>(([:], 0))

  /// Makes an empty store.
  ///
  /// - Parameter memoryBytes: what pictures in memory may take.
  public init(pipeline: ImagePipeline, dicom: DicomRendering = .display, memoryBytes: Int) {
    self.pipeline = pipeline
    self.dicom = dicom
    limitBytes = memoryBytes
  }

  /// The picture of a sample as evaluation sees it.
  ///
  /// - Throws: `DataError` that names the row and the file.
  public func evaluation(_ sample: Sample) throws(DataError) -> GrayImage {
    if let known = memory.withLock({ $0.byPath[sample.imagePath] }) { return known }
    let made: GrayImage
    do {
      made = pipeline.evaluation(try ImageDecoder.decode(sample.imagePath, dicom: dicom))
    } catch {
      var problem = error.problem
      problem.location = "\(sample.origin): \(problem.location)"
      throw error.exitStatus == .missingInput ? .missing(problem) : .badData(problem)
    }
    memory.withLock {
      if $0.bytes + made.pixels.count <= limitBytes, $0.byPath[sample.imagePath] == nil {
        $0.byPath[sample.imagePath] = made
        $0.bytes += made.pixels.count
      }
    }
    return made
  }
}
