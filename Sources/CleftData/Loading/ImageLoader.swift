import CleftImaging
import CleftTensor
import Foundation

/// One batch to load: which samples, and under which keys they are changed.
public struct BatchPlan: Sendable, Equatable {
  /// Indices into the dataset's samples.
  public var indices: [Int]
  /// Epoch, which takes part in the augmentation's key.
  public var epoch: Int

  /// Makes a plan.
  public init(indices: [Int], epoch: Int) {
    self.indices = indices
    self.epoch = epoch
  }
}

/// Decodes and transforms pictures on threads of its own, ahead of whoever asks for batches.
///
/// The result depends on the plans alone: not on the number of threads, nor on what was loaded before. Pictures come
/// up in order; four batches, or two pictures a thread if that is more, are ahead at most.
public final class ImageLoader: Sendable {
  /// Makes pictures; shared by the threads, and holding nothing that holds the loader.
  private struct Source: Sendable {
    let samples: [Sample]
    let pictures: PictureStore
    let augmentation: RandomKey?

    func load(_ index: Int, epoch: Int) -> Result<GrayImage, any Error> {
      Result {
        guard let augmentation else { return try pictures.evaluation(samples[index]) }
        let key = augmentation.split("sample", epoch, index)
        return pictures.pipeline.augmented(try pictures.resized(samples[index]), key: key)
      }
    }
  }

  private let source: Source
  private let queue: LoaderQueue
  private let workerCount: Int

  /// Starts loading.
  ///
  /// - Parameters:
  ///   - augmentation: key of the training transform; nil for evaluation.
  ///   - workerCount: decoding threads; 0 decodes when asked.
  ///   - pictures: where they come from, shared between loaders of one run.
  ///   - plans: the `n`-th batch, nil after the last; asked for once each, in order.
  public init(
    samples: [Sample], pictures: PictureStore, augmentation: RandomKey?, workerCount: Int,
    plans: @escaping @Sendable (Int) -> BatchPlan?
  ) {
    let source = Source(samples: samples, pictures: pictures, augmentation: augmentation)
    let queue = LoaderQueue(batchesAhead: 4, picturesAhead: 2 * workerCount, plans: plans)
    self.source = source
    self.queue = queue
    self.workerCount = workerCount
    for _ in 0..<workerCount {
      let thread = Thread {
        while let item = queue.claim() { queue.finish(item, source.load(item.sample, epoch: item.epoch)) }
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  /// The next batch in order, nil after the last and after `stop`.
  ///
  /// - Throws: the first error of its pictures.
  public func next() throws -> [GrayImage]? { try nextResults()?.map { try $0.get() } }

  /// The next batch in order, each picture with what was wrong with it; nil after the last and after `stop`.
  public func nextResults() -> [Result<GrayImage, any Error>]? {
    if workerCount == 0 {
      while !queue.hasNextBatch, let item = queue.claim() {
        queue.finish(item, source.load(item.sample, epoch: item.epoch))
      }
    }
    return queue.take()
  }

  /// Ends the threads.
  public func stop() { queue.stop() }

  deinit { queue.stop() }
}
