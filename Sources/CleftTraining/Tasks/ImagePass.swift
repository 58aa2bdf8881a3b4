import CleftData
import CleftImaging
import CleftTensor

/// One pass over the pictures of some samples, in order and without the tape.
struct ImagePass {
  let pictures: PictureStore
  let batchSize: Int
  let workerCount: Int

  /// What `body` makes of every picture: batches `[B, 3, H, W]` → `[B, width]`, together `[count, width]`.
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
      values += withoutGradients { body(ImagePipeline.tensor(images)).array }
      progress(values.count / width, count)
    }
    return Tensor([count, width], values)
  }
}
