import CleftImaging
import Foundation
import Glibc

/// The pictures that an `ImageLoader`'s threads work on: handed out in order, collected by batch.
///
/// Threads hold the queue and never the loader, so a loader that nobody holds any more can go and take them along.
final class LoaderQueue: Sendable {
  /// One picture to load.
  struct Item {
    /// Which batch, and which place in it.
    var batch: Int, position: Int
    /// Which sample, in which epoch.
    var sample: Int, epoch: Int
  }

  private struct Batch {
    var plan: BatchPlan
    var results: [Result<GrayImage, any Error>?]
    var missing: Int
  }

  private let plans: @Sendable (Int) -> BatchPlan?
  private let batchesAhead: Int
  private let picturesAhead: Int
  private let monitor = Monitor()
  // All of these are touched with the monitor held only.
  nonisolated(unsafe) private var batches: [Batch] = []
  /// Number of the first of `batches`, which is the next to be taken.
  nonisolated(unsafe) private var consumed = 0
  /// The next picture to hand out: a place in the batch of this number.
  nonisolated(unsafe) private var nextBatch = 0
  nonisolated(unsafe) private var nextPosition = 0
  nonisolated(unsafe) private var isLast = false
  nonisolated(unsafe) private var isStopped = false

  /// Makes a queue.
  ///
  /// - Parameters:
  ///   - batchesAhead: batches that may be in work or waiting.
  ///   - picturesAhead: pictures that may be so even if they make more batches, so that tiny ones keep all threads busy.
  init(batchesAhead: Int, picturesAhead: Int, plans: @escaping @Sendable (Int) -> BatchPlan?) {
    self.batchesAhead = batchesAhead
    self.picturesAhead = picturesAhead
    self.plans = plans
  }

  /// The next picture to load; waits while enough is ahead, nil when there will be none.
  func claim() -> Item? {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped {
      let place = nextBatch - consumed
      if place < batches.count {
        let plan = batches[place].plan
        let item = Item(
          batch: nextBatch, position: nextPosition, sample: plan.indices[nextPosition], epoch: plan.epoch)
        nextPosition += 1
        if nextPosition == plan.indices.count { (nextBatch, nextPosition) = (nextBatch + 1, 0) }
        return item
      }
      if !openBatch() {
        if isLast { return nil }
        monitor.waitForRoom()
      }
    }
    return nil
  }

  /// Asks for one more batch if there is room; false if there is none, or no batch.
  private func openBatch() -> Bool {
    let ahead = batches.reduce(0) { $0 + $1.plan.indices.count }
    if isLast || batches.count >= batchesAhead && ahead >= picturesAhead { return false }
    guard let plan = plans(consumed + batches.count) else {
      isLast = true
      monitor.announceRoom()
      monitor.announceBatch()
      return false
    }
    precondition(!plan.indices.isEmpty, "image loader: batch \(consumed + batches.count) is empty")
    batches.append(
      Batch(
        plan: plan, results: Array(repeating: nil, count: plan.indices.count), missing: plan.indices.count))
    return true
  }

  /// Takes in a picture.
  func finish(_ item: Item, _ result: Result<GrayImage, any Error>) {
    monitor.lock()
    defer { monitor.unlock() }
    let place = item.batch - consumed
    batches[place].results[item.position] = result
    batches[place].missing -= 1
    if place == 0, batches[0].missing == 0 { monitor.announceBatch() }
  }

  /// Whether the next batch can be taken without waiting.
  var hasNextBatch: Bool {
    monitor.lock()
    defer { monitor.unlock() }
    return batches.first?.missing == 0
  }

  /// The next batch's pictures in order; waits for them, nil after the last.
  func take() -> [Result<GrayImage, any Error>]? {
    monitor.lock()
    defer { monitor.unlock() }
    while !isStopped {
      if let first = batches.first, first.missing == 0 {
        batches.removeFirst()
        consumed += 1
        monitor.announceRoom()
        return first.results.compactMap { $0 }
      }
      if batches.isEmpty, isLast { return nil }
      monitor.waitForBatch()
    }
    return nil
  }

  /// Lets everybody go.
  func stop() {
    monitor.lock()
    isStopped = true
    monitor.announceRoom()
    monitor.announceBatch()
    monitor.unlock()
  }
}

/// A lock with two reasons to wait, so that a finished picture wakes nobody who waits for room.
private final class Monitor: Sendable {
  nonisolated(unsafe) private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  nonisolated(unsafe) private let room = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  nonisolated(unsafe) private let batch = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(room, nil)
    pthread_cond_init(batch, nil)
  }

  deinit {
    pthread_cond_destroy(batch)
    pthread_cond_destroy(room)
    pthread_mutex_destroy(mutex)
    batch.deallocate()
    room.deallocate()
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }
  func waitForRoom() { pthread_cond_wait(room, mutex) }
  func waitForBatch() { pthread_cond_wait(batch, mutex) }
  func announceRoom() { pthread_cond_broadcast(room) }
  func announceBatch() { pthread_cond_broadcast(batch) }
}
