import Foundation
import Synchronization

/// Many independent jobs on threads of their own, while the caller says how far they are.
///
/// The number of threads is the caller's, not the budget of `Runtime`: waiting for a file system is not computing.
package enum WorkerPool {
  /// `body(0) … body(count - 1)`, each once, results in order.
  ///
  /// - Parameter progress: called on the caller's thread, now and then and at the end, with the jobs done.
  /// - Throws: the error of the first job that has one; later jobs are then not begun.
  package static func map<Result: Sendable, Failure: Error>(
    _ count: Int, workerCount: Int, progress: (_ done: Int) -> Void = { _ in },
    _ body: @escaping @Sendable (Int) throws(Failure) -> Result
  ) throws(Failure) -> [Result] {
    if count == 0 { return [] }
    let crew = Crew<Failure>(workers: min(max(1, workerCount), count), jobs: count)
    let results = UnsafeMutableBufferPointer<Result?>.allocate(capacity: count)
    results.initialize(repeating: nil)
    defer {
      results.deinitialize()
      results.deallocate()
    }
    // Every job writes a place of its own, and the caller reads after the last thread has ended.
    nonisolated(unsafe) let places = results
    crew.start { job throws(Failure) in places[job] = try body(job) }
    crew.wait(progress)
    if let failure = crew.failure { throw failure }
    return results.compactMap { $0 }
  }
}

/// The threads of one `WorkerPool.map`.
private final class Crew<Failure: Error>: Sendable {
  private let workers: Int
  private let jobs: Int
  private let next = Atomic<Int>(0)
  private let done = Atomic<Int>(0)
  private let condition = NSCondition()
  nonisolated(unsafe) private var running: Int
  private let firstFailure = Mutex<(job: Int, error: Failure)?>(nil)

  init(workers: Int, jobs: Int) {
    self.workers = workers
    self.jobs = jobs
    running = workers
  }

  /// The error of the first job that has one: jobs are begun in order, so none before it was left out.
  var failure: Failure? { firstFailure.withLock { $0?.error } }

  func start(_ body: @escaping @Sendable (Int) throws(Failure) -> Void) {
    for _ in 0..<workers {
      let thread = Thread {
        while let job = self.claim() { self.run(job, body) }
        self.condition.withLock {
          self.running -= 1
          self.condition.signal()
        }
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  private func claim() -> Int? {
    let job = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return job < jobs ? job : nil
  }

  private func run(_ job: Int, _ body: (Int) throws(Failure) -> Void) {
    do throws(Failure) {
      try body(job)
      done.wrappingAdd(1, ordering: .relaxed)
    } catch {
      next.store(jobs, ordering: .relaxed)
      firstFailure.withLock { first in
        if job < first?.job ?? .max { first = (job, error) }
      }
    }
  }

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
