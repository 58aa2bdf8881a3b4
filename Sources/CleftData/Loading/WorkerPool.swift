import Foundation
import Synchronization

/// Many independent jobs on threads of their own, while the caller says how far they are.
///
/// The number of threads is the caller's, not the budget of `Runtime`: waiting for a file system is not computing.
enum WorkerPool {
  /// `body(0) … body(count - 1)`, each once, results in order.
  ///
  /// - Parameter progress: called on the caller's thread, now and then and at the end, with the jobs done.
  static func map<Result: Sendable>(
    _ count: Int, workerCount: Int, progress: (_ done: Int) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) -> Result
  ) -> [Result] {
    if count == 0 { return [] }
    let crew = Crew(workers: min(max(1, workerCount), count))
    return [Result](unsafeUninitializedCapacity: count) { buffer, initialized in
      // Every job writes a place of its own, and the caller reads after the last thread has ended.
      nonisolated(unsafe) let results = buffer
      crew.start {
        while let job = crew.claim(below: count) {
          results.initializeElement(at: job, to: body(job))
          crew.finishJob()
        }
      }
      crew.wait(progress)
      initialized = count
    }
  }
}

/// The threads of one `WorkerPool.map`.
private final class Crew: Sendable {
  private let workers: Int
  private let next = Atomic<Int>(0)
  private let done = Atomic<Int>(0)
  private let condition = NSCondition()
  nonisolated(unsafe) private var running: Int

  init(workers: Int) {
    self.workers = workers
    running = workers
  }

  func start(_ body: @escaping @Sendable () -> Void) {
    for _ in 0..<workers {
      let thread = Thread {
        body()
        self.condition.withLock {
          self.running -= 1
          self.condition.signal()
        }
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  func claim(below count: Int) -> Int? {
    let job = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return job < count ? job : nil
  }

  func finishJob() { done.wrappingAdd(1, ordering: .relaxed) }

  func wait(_ progress: (Int) -> Void) {
    var isOver = false
    while !isOver {
      isOver = condition.withLock {
        if running > 0 { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.2)) }
        return running == 0
      }
      progress(done.load(ordering: .relaxed))
    }
  }
}
