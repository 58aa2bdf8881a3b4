import CleftData
import CleftImaging
import CleftTensor

/// Pictures of one batch after the other.
struct BatchSource {
  /// Pictures of a batch.
  enum Images {
    /// Small, as they come from the loader.
    case pictures([GrayImage])
    case tensor(Tensor)

    /// `[B, 3, H, W]`.
    var tensor: Tensor {
      switch self {
      case .pictures(let pictures): ImagePipeline.tensor(pictures)
      case .tensor(let tensor): tensor
      }
    }
  }

  private let loader: ImageLoader?
  private let fixed: Tensor?

  /// Starts a loader, or makes the one tensor.
  ///
  /// - Parameter augmentation: nil for pictures as evaluation sees them.
  init(
    _ images: StepBenchmark.Images, _ samples: [Sample], _ config: TrainerConfig, augmentation: RandomKey?,
    plans: @escaping @Sendable (Int) -> BatchPlan?
  ) {
    switch images {
    case .files(let store):
      fixed = nil
      loader = ImageLoader(
        samples: samples, pictures: store, augmentation: augmentation, workerCount: config.workerCount,
        plans: plans)
    case .random(let side):
      loader = nil
      fixed = Self.random(count: config.batchSize, side: side, seed: config.seed)
    }
  }

  /// The next batch.
  func next() throws -> Images {
    if let fixed { return .tensor(fixed) }
    guard let pictures = try loader?.next() else { preconditionFailure("benchmark: no batch is left") }
    return .pictures(pictures)
  }

  /// Ends the loader.
  func stop() { loader?.stop() }

  /// Normal values `[count, 3, side, side]`.
  static func random(count: Int, side: Int, seed: UInt64) -> Tensor {
    var draw = RandomKey(seed: seed).split("benchmark images").generator
    let shape: Shape = [count, 3, side, side]
    return Tensor(shape, (0..<shape.count).map { _ in Float(draw.normal()) })
  }
}
