import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftTraining

/// Pictures a batch at a time, decoded ahead of whoever asks; one that cannot be read ends the work or is left out.
///
/// No more than a few batches are in memory, however many pictures there are.
struct PictureBatches {
  let samples: [Sample]
  let pictures: PictureStore
  let batchSize: Int
  let workerCount: Int
  /// What happens to pictures that cannot be read.
  let policy: BadRowPolicy

  /// Hands over pictures `[B, 3, S, S]` with their numbers among the samples, one batch after another.
  ///
  /// - Returns: pictures that were left out, in order.
  /// - Throws: the error of the first picture that cannot be read, unless such are skipped; `DataError.system` under
  ///   either policy, since that is no fault of a picture.
  func forEach(_ body: (_ indices: [Int], _ images: Tensor) throws -> Void) throws -> [BadRow] {
    let (count, size) = (samples.count, batchSize)
    let loader = ImageLoader(
      samples: samples, pictures: pictures, augmentation: nil, workerCount: workerCount
    ) { batch in
      let first = batch * size
      return first < count ? BatchPlan(indices: Array(first..<min(first + size, count)), epoch: 0) : nil
    }
    defer { loader.stop() }
    var bad: [BadRow] = []
    var first = 0
    while let results = loader.nextResults() {
      var indices: [Int] = []
      var images: [GrayImage] = []
      for (place, result) in results.enumerated() {
        do {
          images.append(try result.get())
          indices.append(first + place)
        } catch let error as DataError {
          bad.append(try row(samples[first + place], error))
        }
      }
      first += results.count
      if !images.isEmpty { try body(indices, ImagePipeline.tensor(images)) }
    }
    return bad
  }

  /// What is listed of a picture that is left out.
  private func row(_ sample: Sample, _ error: DataError) throws(DataError) -> BadRow {
    var problem = error.problem
    if case .system = error { throw error }
    guard policy == .skip else {
      problem.hint = "Fix or remove it, or pass --on_bad_row skip."
      if case .missing = error { throw .missing(problem) }
      throw .badData(problem)
    }
    let expected = problem.expected.isEmpty ? "" : "; expected \(problem.expected)"
    return BadRow(origin: sample.origin, imagePath: sample.imagePath, reason: problem.found + expected)
  }
}
