import CleftData

/// Settings of the training loop.
public struct TrainerConfig: Sendable {
  /// Whether training pictures are changed at random each time they come up.
  public var augments = true
  /// Samples of one batch of one rank.
  public var batchSize: Int
  /// In which order samples come up.
  public var sampler: Sampler = .shuffled
  /// Data-parallel ranks, run one after another in this process.
  public var rankCount = 1
  /// Batches of a rank that make one step.
  public var accumulation = 1
  /// Which batches of a step are one another's negatives.
  public var negatives = SharedNegatives()
  /// Optimizer steps in all.
  public var maxSteps: Int
  /// Learning rate of each step.
  public var schedule: any LearningRateSchedule
  /// Longest gradient; a longer one is scaled down to it, nil for no limit.
  public var maxGradientNorm: Double?
  /// Seed of shuffling, augmentation and dropout.
  public var seed: UInt64
  /// Decoding threads.
  public var workerCount = 0
  /// Steps between lines of numbers.
  public var logEverySteps = 50
  /// Steps between histograms of adapters; 0 for none.
  public var histogramEverySteps = 0
  /// Steps between validations; 0 for one at the end of each epoch.
  public var validateEverySteps = 0
  /// Whether the last step is followed by a validation in any case; as published it is not.
  public var validatesAtEnd = true
  /// Validation batches at most; nil for all.
  public var maxValidationBatches: Int?
  /// When checkpoints are written; the last step always is.
  public var checkpoints = CheckpointSchedule()
  /// What happens to numbers that go wrong.
  public var guards = StepGuard.Config()

  /// Makes settings; everything else is set on the value.
  public init(batchSize: Int, maxSteps: Int, schedule: any LearningRateSchedule, seed: UInt64) {
    self.batchSize = batchSize
    self.maxSteps = maxSteps
    self.schedule = schedule
    self.seed = seed
  }
}

/// Which batches of one step are compared with each other by a loss that compares samples.
///
/// As published none are: every batch of every rank has a loss of its own, and gradients are averaged.
public struct SharedNegatives: Sendable, Equatable {
  /// The accumulated batches of a rank are one batch to the loss (`--cached_negatives`).
  public var acrossAccumulation = false
  /// The batches of all ranks are one batch to the loss (`--gather_features`).
  public var acrossRanks = false

  /// Makes a choice.
  public init(acrossAccumulation: Bool = false, acrossRanks: Bool = false) {
    self.acrossAccumulation = acrossAccumulation
    self.acrossRanks = acrossRanks
  }

  /// Numbers of a step's batches, those of one loss together; batch `a · ranks + r` is accumulated batch `a` of rank `r`.
  public func groups(batchCount: Int, rankCount: Int) -> [[Int]] {
    let all = Array(0..<batchCount)
    switch (acrossAccumulation, acrossRanks) {
    case (false, false): return all.map { [$0] }
    case (true, true): return [all]
    case (true, false): return (0..<rankCount).map { rank in all.filter { $0 % rankCount == rank } }
    case (false, true):
      return stride(from: 0, to: batchCount, by: rankCount).map {
        Array(all[$0..<min($0 + rankCount, batchCount)])
      }
    }
  }
}
