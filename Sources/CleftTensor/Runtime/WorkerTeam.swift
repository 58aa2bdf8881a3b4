import COpenBLAS
import Glibc
import Synchronization

/// The threads that loops and products are spread over, beside the one that calls.
///
/// A region takes a microsecond to start while the team is awake. Its threads look for the next region for some tens of
/// microseconds, which is what lies between two operations of a step, and sleep after that, so that they cost others
/// nothing.
final class WorkerTeam: @unchecked Sendable {
  /// The team of the process; it grows to what a region asks for.
  static let shared = WorkerTeam()

  /// Threads beside the caller; only the owner of a region changes it.
  private var helperCount = 0

  /// `generation << 32 | open << 31 | helpers at work`.
  private let state = Atomic<UInt64>(0)
  // What waiting helpers look at and what workers count with lie on lines of their own.
  private let gap: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
  private let next = Atomic<Int>(0)
  private let nextWorker = Atomic<Int>(0)
  private let wanted = Atomic<Int>(0)
  private let isTaken = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  /// The region's work; written by its owner while closed, read by helpers that have joined.
  private var job: (count: Int, workers: Int, body: (Int, Int) -> Void)?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  private static let openBit: UInt64 = 1 << 31
  private static let countMask: UInt64 = (1 << 31) - 1
  /// Looks before a helper sleeps, some tens of microseconds.
  private static let patience = 2_000

  private init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
  }

  private static let insideKey: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key, nil)
    return key
  }()

  /// Whether this thread is at work on a region's item.
  static var isInside: Bool { pthread_getspecific(insideKey) != nil }

  private static func mark(_ isInside: Bool) {
    pthread_setspecific(insideKey, isInside ? UnsafeRawPointer(bitPattern: 1) : nil)
  }

  /// Runs `body(item, worker)` for all items on up to `workers` threads, the caller's among them.
  ///
  /// - Returns: false, with nothing done, where another thread's region is running.
  func run(_ count: Int, workers: Int, _ body: (_ item: Int, _ worker: Int) -> Void) -> Bool {
    guard isTaken.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
    else { return false }
    while helperCount < workers - 1, start() { helperCount += 1 }
    withoutActuallyEscaping(body) { body in
      job = (count, workers, body)
      next.store(0, ordering: .relaxed)
      nextWorker.store(1, ordering: .relaxed)
      wanted.store(workers, ordering: .relaxed)
      let generation = (state.load(ordering: .relaxed) >> 32) &+ 1
      state.store(generation << 32 | Self.openBit, ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeSleepers() }
      Self.mark(true)
      work(count, body, 0)
      Self.mark(false)
      close()
      job = nil
    }
    isTaken.store(false, ordering: .releasing)
    return true
  }

  private func work(_ count: Int, _ body: (Int, Int) -> Void, _ worker: Int) {
    while true {
      let item = next.wrappingAdd(1, ordering: .relaxed).oldValue
      if item >= count { return }
      body(item, worker)
    }
  }

  /// Lets nobody else in and waits for those who are.
  private func close() {
    var word = state.bitwiseAnd(~Self.openBit, ordering: .acquiringAndReleasing).newValue
    var looks = 0
    while word & Self.countMask != 0 {
      looks += 1
      if looks > Self.patience { sched_yield() } else { Self.pause() }
      word = state.load(ordering: .acquiring)
    }
  }

  private func wakeSleepers() {
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
  }

  // MARK: - Helpers

  /// - Returns: whether the system gave a thread.
  private func start() -> Bool {
    var mask = sigset_t()
    var old = sigset_t()
    sigfillset(&mask)
    // Those that the thread itself raises are handled where they arise; the others are the main thread's.
    for signal in [SIGBUS, SIGSEGV, SIGFPE, SIGILL] { sigdelset(&mask, signal) }
    pthread_sigmask(SIG_SETMASK, &mask, &old)
    var thread = pthread_t()
    let team = Unmanaged.passRetained(self)
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<WorkerTeam>.fromOpaque(argument).takeRetainedValue().help()
        return nil
      }, team.toOpaque())
    if failure == 0 { pthread_detach(thread) } else { team.release() }
    pthread_sigmask(SIG_SETMASK, &old, nil)
    return failure == 0
  }

  private func help() {
    Self.mark(true)
    var seen: UInt64 = 0
    while true {
      seen = waited(after: seen)
      if join(seen) {
        takePart()
        state.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      }
    }
  }

  /// Not inlined: the region's owner must have the only reference to its work when this helper has left.
  @inline(never)
  private func takePart() {
    let worker = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
    if let job, worker < job.workers { work(job.count, job.body, worker) }
  }

  /// The generation of a region later than `seen`.
  private func waited(after seen: UInt64) -> UInt64 {
    for _ in 0..<Self.patience {
      let generation = state.load(ordering: .acquiring) >> 32
      if generation != seen { return generation }
      Self.pause()
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    while true {
      let generation = state.load(ordering: .sequentiallyConsistent) >> 32
      if generation != seen { return generation }
      pthread_cond_wait(wake, mutex)
    }
  }

  /// Whether a region is still open; its owner then waits for this helper.
  private func join(_ generation: UInt64) -> Bool {
    var word = state.load(ordering: .acquiring)
    // A region that has all the workers it wants keeps nobody.
    while word >> 32 == generation, word & Self.openBit != 0,
      nextWorker.load(ordering: .relaxed) < wanted.load(ordering: .relaxed)
    {
      let result = state.compareExchange(
        expected: word, desired: word &+ 1, ordering: .acquiringAndReleasing)
      if result.exchanged { return true }
      word = result.original
    }
    return false
  }

  @inline(__always)
  private static func pause() { cleft_pause() }
}
