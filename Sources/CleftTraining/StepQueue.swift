import CleftData
import Synchronization

/// The batches of all steps from one on, as one sequence for the loader, without computing a step's more than once.
final class StepQueue: Sendable {
  private struct State {
    var batches: [BatchPlan] = []
    /// Batches that were in front of `batches` and are not needed any more.
    var dropped = 0
    var nextStep: Int
  }

  private let schedule: BatchSchedule
  private let last: Int
  private let state: Mutex<State>

  init(_ schedule: BatchSchedule, from first: Int, to last: Int) {
    self.schedule = schedule
    self.last = last
    state = Mutex(State(nextStep: first))
  }

  /// The `n`-th batch, nil after the last.
  func plan(_ batch: Int) -> BatchPlan? {
    state.withLock { state in
      while state.dropped + state.batches.count <= batch {
        if state.nextStep >= last { return nil }
        state.batches += schedule.batches(ofStep: state.nextStep)
        state.nextStep += 1
      }
      // Readers are at most a few batches apart.
      let unneeded = batch - 64 - state.dropped
      if unneeded > 2048 {
        state.batches.removeFirst(unneeded)
        state.dropped += unneeded
      }
      return state.batches[batch - state.dropped]
    }
  }
}
