import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Synchronization

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
/// The result depends on the plans alone: not on the number of threads, nor on what was loaded before. Pictures as
/// evaluation sees them are kept in memory up to a limit, so that small sets are decoded once.
public final class ImageLoader: Sendable {
  private struct State {
    var ready: [Int: [Int: Result<GrayImage, any Error>]] = [:]
    var nextItem = (batch: 0, position: 0)
    var consumed = 0
    var isStopped = false
  }

  private let samples: [Sample]
  private let pictures: PictureStore
  private let augmentation: RandomKey?
  private let plans: @Sendable (Int) -> BatchPlan?
  private let depth: Int
  private let workerCount: Int
  nonisolated(unsafe) private var state = State()
  private let condition = NSCondition()

  /// Starts loading.
  ///
  /// - Parameters:
  ///   - augmentation: key of the training transform; nil for evaluation.
  ///   - workerCount: decoding threads; 0 decodes when asked.
  ///   - pictures: where they come from, shared between loaders of one run.
  ///   - plans: the `n`-th batch, nil after the last.
  public init(
    samples: [Sample], pictures: PictureStore, augmentation: RandomKey?, workerCount: Int,
    plans: @escaping @Sendable (Int) -> BatchPlan?
  ) {
    self.samples = samples
    self.pictures = pictures
    self.augmentation = augmentation
    self.plans = plans
    self.workerCount = workerCount
    depth = 4
    for _ in 0..<workerCount {
      let thread = Thread { [weak self] in
        while let loader = self, loader.work() {}
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  /// The next batch in order, nil after the last.
  ///
  /// - Throws: the first error of its pictures.
  public func next() throws -> [GrayImage]? {
    let batch = condition.withLock { state.consumed }
    guard let plan = plans(batch) else { return nil }
    if workerCount == 0 {
      condition.withLock { state.consumed += 1 }
      return try plan.indices.map { try load($0, epoch: plan.epoch).get() }
    }
    condition.lock()
    while (state.ready[batch]?.count ?? 0) < plan.indices.count { condition.wait() }
    let done = state.ready.removeValue(forKey: batch) ?? [:]
    state.consumed += 1
    condition.broadcast()
    condition.unlock()
    return try plan.indices.indices.compactMap { try done[$0]?.get() }
  }

  /// Ends the threads.
  public func stop() {
    condition.lock()
    state.isStopped = true
    condition.broadcast()
    condition.unlock()
  }

  deinit { stop() }

  /// Takes one picture off the list and loads it; false when there is nothing left to do.
  private func work() -> Bool {
    condition.lock()
    while !state.isStopped, state.nextItem.batch >= state.consumed + depth {
      // Wake up now and then, so that a loader nobody holds any more can go.
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.5))
      if state.nextItem.batch >= state.consumed + depth {
        let isStopped = state.isStopped
        condition.unlock()
        return !isStopped
      }
    }
    guard !state.isStopped, let plan = plans(state.nextItem.batch) else {
      condition.unlock()
      return false
    }
    let item = state.nextItem
    state.nextItem =
      item.position + 1 < plan.indices.count ? (item.batch, item.position + 1) : (item.batch + 1, 0)
    condition.unlock()
    let image = load(plan.indices[item.position], epoch: plan.epoch)
    condition.lock()
    state.ready[item.batch, default: [:]][item.position] = image
    condition.broadcast()
    condition.unlock()
    return true
  }

  private func load(_ index: Int, epoch: Int) -> Result<GrayImage, any Error> {
    Result {
      let base = try pictures.evaluation(samples[index])
      guard let augmentation else { return base }
      return pictures.pipeline.augmented(base, key: augmentation.split("sample", epoch, index))
    }
  }
}
