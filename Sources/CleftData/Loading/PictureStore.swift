import CleftFormats
import CleftImaging
import Synchronization

/// Where a run's pictures come from: memory, the prepared file, or decoding.
///
/// Resized pictures are kept in memory up to a limit, so that small sets are decoded once.
public final class PictureStore: Sendable {
  /// From a decoded picture to what the model sees.
  public let pipeline: ImagePipeline
  /// Pictures that were decoded before, if any.
  public let prepared: PreparedPictures?
  let dicom: DicomRendering
  private let limitBytes: Int
  private let memory = Mutex<(byPath: [String: GrayImage], bytes: Int)>(([:], 0))
  private let preparedReads = Atomic<Int>(0)
  private let decodings = Atomic<Int>(0)
  private let oddities = Mutex(Oddities())

  /// Pictures that a run should say something about, each once.
  private struct Oddities {
    var constant: Set<String> = []
    var stale: Set<String> = []
    var damaged: Set<String> = []
    var absent: Set<String> = []
  }

  /// Makes an empty store.
  ///
  /// - Parameters:
  ///   - memoryBytes: what pictures in memory may take.
  ///   - prepared: pictures that need no decoding; not used where pictures are fitted otherwise than as published.
  public init(
    pipeline: ImagePipeline, dicom: DicomRendering = .display, memoryBytes: Int,
    prepared: PreparedPictures? = nil
  ) {
    self.pipeline = pipeline
    self.dicom = dicom
    // Prepared pictures are fitted as published.
    self.prepared = pipeline.truncatesSides ? prepared : nil
    limitBytes = memoryBytes
  }

  /// The picture of a sample as evaluation sees it.
  ///
  /// - Throws: `DataError` that names the row and the file.
  public func evaluation(_ sample: Sample) throws(DataError) -> GrayImage {
    pipeline.evaluation(resized: try resized(sample))
  }

  /// The picture of a sample as the random part of the training transform takes it.
  ///
  /// - Throws: `DataError` that names the row and the file.
  public func resized(_ sample: Sample) throws(DataError) -> GrayImage {
    if let known = memory.withLock({ $0.byPath[sample.imagePath] }) { return known }
    if let known = prepared(sample.imagePath) {
      remember(known, sample.imagePath)
      return known
    }
    do {
      let image = try decoded(sample.imagePath)
      if image.isConstant { oddities.withLock { _ = $0.constant.insert(sample.imagePath) } }
      let made = pipeline.resized(image)
      remember(made, sample.imagePath)
      return made
    } catch {
      throw DataError(error, origin: sample.origin)
    }
  }

  /// What the prepared file has, resized; nil if the picture has to be decoded.
  private func prepared(_ path: String) -> GrayImage? {
    guard let prepared else { return nil }
    switch prepared.lookup(path, dicom: dicom) {
    case .found(let fitted, let problem):
      preparedReads.wrappingAdd(1, ordering: .relaxed)
      if !problem.isEmpty { oddities.withLock { _ = $0.constant.insert(path) } }
      return pipeline.resized(fitted: fitted)
    case .stale: oddities.withLock { _ = $0.stale.insert(path) }
    case .damaged: oddities.withLock { _ = $0.damaged.insert(path) }
    case .absent: oddities.withLock { _ = $0.absent.insert(path) }
    }
    return nil
  }

  private func decoded(_ path: String) throws(ImagingError) -> GrayImage {
    let image = try ImageDecoder.decode(path, dicom: dicom)
    decodings.wrappingAdd(1, ordering: .relaxed)
    return image
  }

  private func remember(_ image: GrayImage, _ path: String) {
    memory.withLock {
      if $0.bytes + image.pixels.count <= limitBytes, $0.byPath[path] == nil {
        $0.byPath[path] = image
        $0.bytes += image.pixels.count
      }
    }
  }
}

extension PictureStore {
  /// Looks at a picture, and keeps it in memory if there is room; nil if it can be used.
  ///
  /// - Throws: `DataError.system` if the disk or the memory failed, which says nothing about the picture.
  func inspect(_ sample: Sample, stamp: FileStamp?) throws(DataError) -> PictureProblem? {
    let path = sample.imagePath
    if let row = prepared?.row(path, dicom: dicom, stamp: stamp).row {
      if !row.problem.isEmpty { return PictureProblem(.constant, row.problem) }
      if !hasRoom { return nil }
      if let known = prepared(path) {
        remember(known, path)
        return nil
      }
    }
    do {
      let image = try decoded(path)
      if let problem = PictureProblem(image) { return problem }
      if hasRoom { remember(pipeline.resized(image), path) }
      return nil
    } catch {
      return try PictureProblem(error, origin: sample.origin)
    }
  }

  /// Whether memory takes one more picture.
  private var hasRoom: Bool {
    memory.withLock { $0.bytes + pipeline.resizedSide * pipeline.resizedSide <= limitBytes }
  }

  /// What a run should say about its pictures at its end.
  public struct Summary: Sendable, Equatable {
    /// Times that a picture came from the prepared file.
    public var preparedReads: Int
    /// Times that a picture was decoded.
    public var decodings: Int
    /// Different pictures seen all of whose pixels are equal.
    public var constant: Int
    /// Different pictures decoded because their files have changed since they were prepared.
    public var stale: Int
    /// Different pictures decoded because their records are damaged.
    public var damaged: Int
    /// Different pictures decoded because they are not prepared, or not in this rendering.
    public var absent: Int

    /// One line for each thing that is not as it should be.
    public var warnings: [String] {
      let again = "run 'cleft prepare' with this dataset's options"
      let lines: [(Int, String)] = [
        (constant, "constant pictures were used: nothing can be learned from them"),
        (stale, "pictures have changed since they were prepared and were decoded; \(again)"),
        (damaged, "prepared pictures are damaged and were decoded; \(again)"),
        (absent, "pictures are not prepared and were decoded; \(again)"),
      ]
      return lines.filter { $0.0 > 0 }.map { "\($0) \($1)." }
    }
  }

  /// Counts so far.
  public var summary: Summary {
    oddities.withLock {
      Summary(
        preparedReads: preparedReads.load(ordering: .relaxed), decodings: decodings.load(ordering: .relaxed),
        constant: $0.constant.count, stale: $0.stale.count, damaged: $0.damaged.count,
        absent: $0.absent.count)
    }
  }
}
