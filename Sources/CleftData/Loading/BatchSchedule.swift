import CleftTensor
import Synchronization

/// Which samples each optimizer step uses: shuffled by (seed, epoch), dealt to ranks, whole batches only.
public final class BatchSchedule: Sendable {
  /// Samples in the dataset.
  public let sampleCount: Int
  /// Samples of one batch of one rank.
  public let batchSize: Int
  /// Data-parallel ranks.
  public let rankCount: Int
  /// Batches of a rank that make one step.
  public let accumulation: Int
  private let key: RandomKey
  private let newestOrder = Mutex<(epoch: Int, order: [Int])?>(nil)

  /// Makes a schedule; every epoch must hold at least one batch of every rank.
  public init(sampleCount: Int, batchSize: Int, rankCount: Int, accumulation: Int, key: RandomKey) {
    precondition(sampleCount >= batchSize * rankCount, "batch schedule: \(sampleCount) samples")
    self.sampleCount = sampleCount
    self.batchSize = batchSize
    self.rankCount = rankCount
    self.accumulation = accumulation
    self.key = key
  }

  /// Batches of each rank in an epoch.
  public var batchesPerEpoch: Int { sampleCount / rankCount / batchSize }

  /// Optimizer steps in an epoch; a short last group of batches still makes a step.
  public var stepsPerEpoch: Int { (batchesPerEpoch + accumulation - 1) / accumulation }

  /// Epoch of a step.
  public func epoch(ofStep step: Int) -> Int { step / stepsPerEpoch }

  /// Batches of a step: for each accumulated batch, one a rank, in order.
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

  /// A permutation of all samples that depends on seed and epoch alone.
  public func order(ofEpoch epoch: Int) -> [Int] {
    newestOrder.withLock { known in
      if let known, known.epoch == epoch { return known.order }
      var draw = key.split("shuffle", epoch).generator
      let order = Array(0..<sampleCount).shuffled(using: &draw)
      known = (epoch, order)
      return order
    }
  }
}
