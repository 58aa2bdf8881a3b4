import CleftData
import CleftFormats
import CleftImaging
import CleftTensor

/// One pass over the pictures of some samples, in order and without the tape.
public struct ImagePass {
  let pictures: PictureStore
  let batchSize: Int
  let workerCount: Int

  /// Makes a pass.
  public init(pictures: PictureStore, batchSize: Int, workerCount: Int) {
    (self.pictures, self.batchSize, self.workerCount) = (pictures, batchSize, workerCount)
  }

  /// What `body` makes of every picture: batches `[B, 3, H, W]` → `[B, width]`, together `[count, width]`.
  ///
  /// - Throws: `TrainingError.badData` naming the first picture whose numbers are not finite: nothing can be said of it.
  public func rows(
    _ samples: [Sample], width: Int, progress: (_ done: Int, _ of: Int) -> Void, _ body: (Tensor) -> Tensor
  ) throws -> Tensor {
    let count = samples.count
    let batches = stride(from: 0, to: count, by: batchSize).map { $0..<min($0 + batchSize, count) }
    var values: [Float] = []
    try forEach(batches, of: samples) { _, images in
      let first = values.count
      values += withoutGradients { body(images).array }
      if let broken = values[first...].firstIndex(where: { !$0.isFinite }) {
        throw TrainingError.badData(
          Problem(
            samples[broken / width].origin, found: "what the model makes of this picture is not finite",
            hint: "Are the weights? Evaluate an earlier checkpoint."))
      }

      progress(values.count / width, count)
    }
    return Tensor([count, width], values)
  }

  /// Hands the pictures `[B, 3, H, W]` of some batches of samples to `body`, one batch after another.
  func forEach(
    _ batches: [Range<Int>], of samples: [Sample], _ body: (Range<Int>, Tensor) throws -> Void
  ) throws {
    let loader = ImageLoader(
      samples: samples, pictures: pictures, augmentation: nil, workerCount: workerCount
    ) { $0 < batches.count ? BatchPlan(indices: Array(batches[$0]), epoch: 0) : nil }
    defer { loader.stop() }
    for batch in batches {
      guard let images = try loader.next() else { break }
      try body(batch, ImagePipeline.tensor(images))
    }
  }
}
