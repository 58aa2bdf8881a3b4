import CleftTensor
import Synchronization

/// Which samples each optimizer step uses: ordered by sampler, seed and epoch, dealt to ranks, whole batches only.
///
/// A step's batches depend on nothing that came before it, so a resumed run uses the same ones.
public final class BatchSchedule: Sendable {
  /// Samples in the dataset.
  public let sampleCount: Int
  /// Samples of one batch of one rank.
  public let batchSize: Int
  /// Data-parallel ranks.
  public let rankCount: Int
  /// Batches of a rank that make one step.
  public let accumulation: Int
  /// Order and frequency of samples.
  public let sampler: Sampler
  private let key: RandomKey
  private let weights: WeightedDraw?
  private let newestOrder = Mutex<(epoch: Int, order: [Int])?>(nil)

  /// Makes a schedule; every epoch must hold at least one batch of every rank.
  public init(
    sampleCount: Int, batchSize: Int, rankCount: Int, accumulation: Int, key: RandomKey,
    sampler: Sampler = .shuffled
  ) {
    precondition(sampleCount >= batchSize * rankCount, "batch schedule: \(sampleCount) samples")
    self.sampleCount = sampleCount
    self.batchSize = batchSize
    self.rankCount = rankCount
    self.accumulation = accumulation
    self.key = key
    self.sampler = sampler
    if case .balanced(let classes) = sampler {
      precondition(classes.count == sampleCount, "batch schedule: \(classes.count) classes of \(sampleCount)")
      weights = WeightedDraw(classes: classes)
    } else {
      weights = nil
    }
  }

  /// Entries of an epoch's order: the samples, and under the published sampler those repeated at its end.
  public var drawCount: Int {
    guard case .published = sampler else { return sampleCount }
    return (sampleCount + rankCount - 1) / rankCount * rankCount
  }

  /// Batches of each rank in an epoch.
  public var batchesPerEpoch: Int { drawCount / rankCount / batchSize }

  /// Optimizer steps in an epoch; a short last group of batches still makes a step.
  public var stepsPerEpoch: Int { (batchesPerEpoch + accumulation - 1) / accumulation }

  /// Epoch of a step.
  public func epoch(ofStep step: Int) -> Int { step / stepsPerEpoch }

  /// Batches of a step: for each accumulated batch, one a rank, in order.
  ///
  /// Of an epoch's order rank `r` of `R` takes entries `r`, `r + R`, …
  public func batches(ofStep step: Int) -> [BatchPlan] {
    let epoch = epoch(ofStep: step)
    let order = order(ofEpoch: epoch)
    let first = step % stepsPerEpoch * accumulation
    return (first..<min(first + accumulation, batchesPerEpoch)).flatMap { batch in
      (0..<rankCount).map { rank in
        BatchPlan(
          indices: (0..<batchSize).map { order[(batch * batchSize + $0) * rankCount + rank] }, epoch: epoch)
      }
    }
  }

  /// The samples of an epoch in their order, which depends on sampler, seed and epoch alone.
  public func order(ofEpoch epoch: Int) -> [Int] {
    newestOrder.withLock { known in
      if let known, known.epoch == epoch { return known.order }
      let order = makeOrder(epoch)
      known = (epoch, order)
      return order
    }
  }

  private func makeOrder(_ epoch: Int) -> [Int] {
    switch sampler {
    case .shuffled:
      var draw = key.split("shuffle", epoch).generator
      return Array(0..<sampleCount).shuffled(using: &draw)
    case .balanced:
      let draw = key.split("balanced", epoch)
      return (0..<sampleCount).map { weights?.sample(at: draw.uniform(at: $0)) ?? $0 }
    case .published(let seed):
      let ranks = Subsampling.distributedOrder(
        count: sampleCount, rankCount: rankCount, seed: UInt32(truncatingIfNeeded: seed), epoch: epoch,
        shuffles: true)
      return (0..<drawCount).map { ranks[$0 % rankCount][$0 / rankCount] }
    }
  }
}
