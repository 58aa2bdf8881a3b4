import CleftData
import CleftFormats
import CleftImaging
import CleftTensor

/// One pass over the pictures of some samples, in order and without the tape.
struct ImagePass {
  let pictures: PictureStore
  let batchSize: Int
  let workerCount: Int

  /// What `body` makes of every picture: batches `[B, 3, H, W]` → `[B, width]`, together `[count, width]`.
  ///
  /// - Throws: `TrainingError.badData` naming the first picture whose numbers are not finite: nothing can be said of it.

  func rows(
    _ samples: [Sample], width: Int, progress: (_ done: Int, _ of: Int) -> Void, _ body: (Tensor) -> Tensor
  ) throws -> Tensor {
    let (count, batchSize) = (samples.count, batchSize)
    let loader = ImageLoader(
      samples: samples, pictures: pictures, augmentation: nil, workerCount: workerCount
    ) { batch in
      let first = batch * batchSize
      return first < count ? BatchPlan(indices: Array(first..<min(first + batchSize, count)), epoch: 0) : nil
    }
    defer { loader.stop() }
    var values: [Float] = []
    while let images = try loader.next() {
      let first = values.count
      values += withoutGradients { body(ImagePipeline.tensor(images)).array }
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
}
