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

  @Test func aSlowConsumerHoldsTheThreadsBack() throws {
    let asked = Mutex<[Int]>([])
    let loader = ImageLoader(samples: samples, pictures: store(), augmentation: nil, workerCount: 2) {
      batch in
      asked.withLock { $0.append(batch) }
      return BatchPlan(indices: [0, 1, 2], epoch: 0)
    }
    defer { loader.stop() }
    for taken in 0..<6 {
      let limit = Date(timeIntervalSinceNow: 5)
      while asked.withLock({ $0.count }) < taken + 4, Date() < limit { Thread.sleep(forTimeInterval: 0.002) }
      Thread.sleep(forTimeInterval: 0.01)
      #expect(asked.withLock { $0 } == Array(0..<taken + 4))
      #expect(try loader.next()?.count == 3)
    }
  }

  @Test func tinyBatchesKeepAllThreadsBusy() throws {
    let asked = Mutex(0)
    let loader = ImageLoader(samples: samples, pictures: store(), augmentation: nil, workerCount: 6) { _ in
      asked.withLock { $0 += 1 }
      return BatchPlan(indices: [0], epoch: 0)
    }
    defer { loader.stop() }
    let limit = Date(timeIntervalSinceNow: 5)
    while asked.withLock({ $0 }) < 12, Date() < limit { Thread.sleep(forTimeInterval: 0.002) }
    Thread.sleep(forTimeInterval: 0.01)
    #expect(asked.withLock { $0 } == 12)
  }

  @Test func aLoaderNobodyHoldsTakesItsThreadsAlong() throws {
    weak var abandoned: PictureStore?
    do {
      let store = store()
      abandoned = store
      let loader = loader(samples, store, workerCount: 3, batches: 1000)
      _ = try loader.next()
    }
    let limit = Date(timeIntervalSinceNow: 5)
    while abandoned != nil, Date() < limit { Thread.sleep(forTimeInterval: 0.002) }
    #expect(abandoned == nil)
  }

  @Test func aStoppedLoaderHasNoMoreBatches() throws {
    let loader = loader(samples, store(), workerCount: 2, batches: 1000)
    _ = try loader.next()
    loader.stop()
    #expect(try loader.next() == nil)
  }
}
