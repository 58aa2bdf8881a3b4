/// What a function took.
public struct CallTiming: Sendable {
  /// Seconds of one call: the shortest, and the middle one.
  public let best, median: Double
  /// How many times were taken; short calls are timed several at once.
  public let sampleCount: Int

  /// Times functions in turns, for about `milliseconds` each and at least five times.
  static func takingTurns(_ bodies: [() -> Void], milliseconds: Double) -> [CallTiming] {
    let budget = Int(milliseconds * 1e6)
    let turns = 5
    var watches = bodies.map { Stopwatch($0, warmUp: budget / 5) }
    for turn in 1...turns {
      for index in watches.indices { watches[index].run(until: budget * turn / turns, atLeast: turn) }
    }
    return watches.map(\.timing)
  }
}

/// Samples of what calls of one function take.
private struct Stopwatch {
  private let body: () -> Void
  private let callsPerSample: Int
  /// Whether a turn can spare a call that is not counted.
  private let isShort: Bool
  private var samples: [Double] = []
  private var spent = 0
  private static let capacity = 10_000

  /// Warms up: the first call takes page faults and starts the threads, the second shows how long one is.
  init(_ body: @escaping () -> Void, warmUp nanoseconds: Int) {
    self.body = body
    body()
    let start = WorkClock.now()
    body()
    let duration = max(1, WorkClock.now() - start)
    callsPerSample = max(1, 5_000 / duration)
    isShort = duration < nanoseconds / 10
    while WorkClock.now() - start < nanoseconds { body() }
    samples.reserveCapacity(Self.capacity)
  }

  /// Takes samples until they have lasted so many nanoseconds in all and there are at least so many.
  ///
  /// The first call of a turn, which finds what others left in the caches, is not counted where it is short.
  mutating func run(until nanoseconds: Int, atLeast count: Int) {
    if isShort { body() }
    while samples.count < count || (samples.count < Self.capacity && spent < nanoseconds) {
      let begin = WorkClock.now()
      for _ in 0..<callsPerSample { body() }
      let time = max(1, WorkClock.now() - begin)
      samples.append(Double(time) * 1e-9 / Double(callsPerSample))
      spent += time
    }
  }

  var timing: CallTiming {
    let sorted = samples.sorted()
    return CallTiming(best: sorted[0], median: sorted[sorted.count / 2], sampleCount: sorted.count)
  }
}
