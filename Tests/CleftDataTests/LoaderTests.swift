import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import Foundation
import Synchronization
import Testing

@Suite struct LoaderTests {
  private let folder: PictureFolder
  private let samples: [Sample]

  init() throws {
    folder = try PictureFolder()
    samples = folder.samples(try folder.pictures(12))
  }

  private func store(_ memoryBytes: Int = 0, prepared: PreparedPictures? = nil) -> PictureStore {
    PictureStore(pipeline: ImagePipeline(sizePixels: 56), memoryBytes: memoryBytes, prepared: prepared)
  }

  private func loader(
    _ samples: [Sample], _ store: PictureStore, workerCount: Int, batches: Int = 8
  ) -> ImageLoader {
    ImageLoader(
      samples: samples, pictures: store, augmentation: RandomKey(seed: 1), workerCount: workerCount
    ) { batch in
      if batch >= batches { return nil }
      return BatchPlan(
        indices: (0..<3).map { (batch * 5 + $0 * 7) % samples.count }, epoch: batch / 3)
    }
  }

  private func all(_ loader: ImageLoader) throws -> [[GrayImage]] {
    defer { loader.stop() }
    var batches: [[GrayImage]] = []
    while let batch = try loader.next() { batches.append(batch) }
    return batches
  }

  @Test(arguments: [1, 2, 5]) func resultsDoNotDependOnThreadsOrSources(workers: Int) throws {
    let plain = try all(loader(samples, store(), workerCount: 0))
    #expect(plain.count == 8)
    #expect(plain.allSatisfy { $0.count == 3 })
    try folder.prepare(samples.map(\.imagePath))
    let prepared = try PreparedPictures.open(folder.out, dataFolder: folder.data)
    for store in [store(), store(9000), store(1 << 20), store(prepared: prepared)] {
      #expect(try all(loader(samples, store, workerCount: workers)) == plain)
    }
  }

  @Test(arguments: [0, 1, 4]) func anErrorComesUpWithItsBatch(workers: Int) throws {
    var samples = samples
    samples[10].imagePath = "\(folder.data)/gone.png"
    // Batches hold 0 7 2, 5 0 7, 10 5 0, 3 10 5, 8 3 10, 1 8 3, …
    let loader = loader(samples, store(), workerCount: workers, batches: 6)
    defer { loader.stop() }
    var outcomes: [Bool] = []
    for _ in 0..<6 { outcomes.append((try? loader.next()) != nil) }
    #expect(outcomes == [true, true, false, false, false, true])
    #expect(try loader.next() == nil)
  }

  /// Waits until something is so, for a minute on a machine that is busy with other things.
  private func wait(until isSo: () -> Bool) -> Bool {
    let limit = Date(timeIntervalSinceNow: 60)
    while !isSo(), Date() < limit { Thread.sleep(forTimeInterval: 0.002) }
    return isSo()
  }

  /// Loads endlessly, and holds every batch that is asked for against the batches that may be ahead.
  private func requireLead(_ batches: Int, workerCount: Int, indices: [Int]) throws {
    let taken = Atomic<Int>(0)
    let asked = Mutex<[(batch: Int, lead: Int)]>([])
    let store = store()
    let loader = ImageLoader(
      samples: samples, pictures: store, augmentation: nil, workerCount: workerCount
    ) { batch in
      let lead = batch + 1 - taken.load(ordering: .sequentiallyConsistent)
      asked.withLock { $0.append((batch, lead)) }
      return BatchPlan(indices: indices, epoch: 0)
    }
    defer { loader.stop() }
    for round in 0..<6 {
      // All that may be loaded is: threads that would go on have had their chance to ask.
      let loaded = (round + batches) * indices.count
      #expect(wait { store.summary.decodings >= loaded })
      taken.add(1, ordering: .sequentiallyConsistent)
      #expect(try loader.next()?.count == indices.count)
    }
    let all = asked.withLock { $0 }
    #expect(all.map(\.batch) == Array(0..<all.count))
    #expect(all.map(\.lead).max() == batches)
  }

  @Test func aSlowConsumerHoldsTheThreadsBack() throws {
    try requireLead(4, workerCount: 2, indices: [0, 1, 2])
  }

  @Test func tinyBatchesKeepAllThreadsBusy() throws {
    try requireLead(12, workerCount: 6, indices: [0])
  }

  @Test func aLoaderNobodyHoldsTakesItsThreadsAlong() throws {
    weak var abandoned: PictureStore?
    do {
      let store = store()
      abandoned = store
      let loader = loader(samples, store, workerCount: 3, batches: 1000)
      _ = try loader.next()
    }
    #expect(wait { abandoned == nil })
  }

  @Test func aStoppedLoaderHasNoMoreBatches() throws {
    let loader = loader(samples, store(), workerCount: 2, batches: 1000)
    _ = try loader.next()
    loader.stop()
    #expect(try loader.next() == nil)
  }
}

@Suite struct WorkerPoolTests {
  private struct Failure: Error, Equatable { var job: Int }

  @Test(arguments: [1, 4]) func resultsComeInOrder(workers: Int) {
    #expect(WorkerPool.map(100, workerCount: workers) { $0 * $0 } == (0..<100).map { $0 * $0 })
    #expect(WorkerPool.map(3, workerCount: workers) { $0 == 1 ? nil : $0 } == [0, nil, 2])
    #expect(WorkerPool.map(0, workerCount: workers) { $0 }.isEmpty)
  }

  @Test(arguments: [1, 4]) func theFirstErrorEndsTheWork(workers: Int) throws {
    let begun = Atomic<Int>(0)
    let error = #expect(throws: Failure.self) {
      try WorkerPool.map(100_000, workerCount: workers) { job in
        begun.add(1, ordering: .relaxed)
        if job == 7 { Thread.sleep(forTimeInterval: 0.02) }
        if job >= 7 { throw Failure(job: job) }
        return job
      }
    }
    #expect(error == Failure(job: 7))
    #expect(begun.load(ordering: .relaxed) < 100)
  }
}
