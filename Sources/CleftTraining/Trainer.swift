import CleftData
import CleftFormats
import CleftImaging
import CleftNN
import CleftTensor
import Foundation

/// The training loop: batches in, gradients averaged over ranks and accumulated batches, one optimizer step, files out.
///
/// Every random number is keyed by seed and step or sample, and what is carried from step to step is in the checkpoint, so
/// a run cut anywhere and resumed equals one that was not.
public final class Trainer {
  /// Settings.
  public let config: TrainerConfig
  /// Seconds of the newest step.
  public var newestStepSeconds: Double { pace.newest }
  /// Writes what goes into the first steps for a replay elsewhere; nil for nothing.
  public var trace: RunTrace?

  let task: any TrainingTask
  let optimizer: any Optimizer
  let schedule: BatchSchedule
  let pictures: PictureStore
  var pace = Pace()
  /// Tokens of text that the steps measured by `pace` have read.
  var tokens = 0

  private let stepGuard: StepGuard
  private let baseFiles: BaseFiles

  let limits: RunLimits
  /// Seconds that the longest checkpoint so far took.
  var longestSave = 0.0

  /// Makes a trainer; nothing is written yet.
  ///
  /// - Throws: `TrainingError.badConfiguration` if an epoch would hold no batch or nothing is trained.
  public init(
    task: any TrainingTask, optimizer: any Optimizer, pictures: PictureStore, config: TrainerConfig,
    limits: RunLimits = RunLimits()
  ) throws(TrainingError) {
    let count = task.trainingSamples.count
    guard count >= config.batchSize * config.rankCount else {
      throw .badConfiguration(
        Problem(
          "--batch_size",
          found: "\(config.batchSize) on \(config.rankCount) device(s) for \(count) training samples",
          expected: "at most \(count / config.rankCount)", hint: "Lower --batch_size or --devices."))
    }
    guard task.model.parameters.contains(where: \.cell.isTrainable) else {
      throw .badConfiguration(
        Problem("model", found: "no trainable parameter", hint: "Drop a --freeze_ option."))
    }
    (self.task, self.optimizer, self.pictures, self.config) = (task, optimizer, pictures, config)
    self.limits = limits
    stepGuard = StepGuard(config.guards)
    baseFiles = BaseFiles(task.model)

    schedule = BatchSchedule(
      sampleCount: count, batchSize: config.batchSize, rankCount: config.rankCount,
      accumulation: config.accumulation, key: RandomKey(seed: config.seed).split("data"),
      sampler: config.sampler)
  }

  /// Samples of the first epoch, in the order in which they come up.
  public var firstEpoch: [Int] { schedule.order(ofEpoch: 0) }

  /// Trains from `firstStep` to the end.
  ///
  /// - Parameters:
  ///   - progress: what the run carried along up to `firstStep`.
  ///   - keeper: writes the checkpoints; nil for none.
  /// - Throws: `TrainingError.stoppedEarly` after a signal or the time given, with a checkpoint written;
  ///   `TrainingError.badData` for numbers that went wrong.
  public func fit(
    from firstStep: Int, progress: RunProgress, log: RunLog, keeper: CheckpointKeeper?
  ) throws {
    var progress = progress
    var saved = SavePoint(step: firstStep)
    try look(beforeStep: firstStep, &progress, log, keeper)
    try encodeFrozen(from: firstStep, &progress, log)
    let loader = makeLoader(from: firstStep)
    defer { loader.stop() }
    for step in firstStep..<max(firstStep, config.maxSteps) {
      let statistics = statistics
      do {
        try limits.requireTime(step: step, stepSeconds: pace.stepSeconds + longestSave)
        try baseFiles.requireUnchanged()
        let figures = try train(step, loader, &progress, log)
        progress.seconds += pace.newest
        try conclude(step + 1, figures, &progress, &saved, log, keeper)
      } catch let broken as BrokenWeight {
        // What is in memory is no use; the last checkpoint stands.
        throw broken.error
      } catch let failure as ConcludingFailure {
        throw failure.error
      } catch {
        // What was reached is not lost with the batch that could not be had.
        for (cell, value) in statistics { cell.value = value }
        if step > saved.step {
          // Numbers that went wrong may have begun to before: what is older stays.
          let isOnTime = (error as? TrainingError)?.exitStatus == .stoppedEarly
          try keeper?.save(step: step, progress: progress, keepsOthers: !isOnTime)
        }
        throw error
      }
    }
    // All steps are done; what else was to follow, the process that goes on makes up for.
    try limits.requireTime(step: config.maxSteps, stepSeconds: 0)
  }

  /// Loads the pictures of the steps from one on, none where no step needs them.
  private func makeLoader(from first: Int) -> ImageLoader {
    let queue = StepQueue(schedule, from: first, to: config.maxSteps)
    let augmentation = RandomKey(seed: config.seed).split("augmentation")
    return ImageLoader(
      samples: task.trainingSamples, pictures: pictures,
      augmentation: config.augments ? augmentation : nil, workerCount: config.workerCount,
      plans: { [needsPictures] in needsPictures ? queue.plan($0) : nil })
  }

  /// One step: gradients, a look at the numbers, and the optimizer.
  ///
  /// - Returns: what to log; nil for a step that was left out.
  private func train(
    _ step: Int, _ loader: ImageLoader, _ progress: inout RunProgress, _ log: RunLog
  ) throws -> StepReport? {
    pace.begin()
    let statistics = statistics
    let rate = config.schedule.rate(at: step)
    var waited = 0.0
    let batches = try load(schedule.batches(ofStep: step), step, loader, &waited)
    if step == 0 { try recordFirst(batches, log) }
    do {
      let found = try gradients(batches, step)
      let norm = GradientNorm(found.gradients, optimizer.groups)
      let origins = { batches.flatMap(\.plan.indices).map { self.task.trainingSamples[$0].origin } }
      if let path = norm.broken {
        throw OddStep(what: "the gradient of \(path) is not finite", origins: origins())
      }
      let loss = found.metrics["loss"] ?? .nan
      if let spike = stepGuard.spike(loss: loss, progress, origins()),
        try stepGuard.decide(spike, step: step + 1, &progress, log)
      {
        return leaveOut(statistics, waited)
      }
      let scale = norm.scale(limit: config.maxGradientNorm)
      if let path = optimizer.step(found.gradients, learningRate: rate, gradientScale: scale) {
        throw BrokenWeight(path: path, step: step + 1, origins: origins())
      }
      stepGuard.accept(loss: loss, &progress)
      pace.end(waited: waited)
      tokens += found.tokenCount
      return StepReport(
        metrics: found.metrics, gradientNorm: norm.total, learningRate: rate)
    } catch let odd as OddStep {
      _ = try stepGuard.decide(odd, step: step + 1, &progress, log)
      return leaveOut(statistics, waited)
    }
  }

  private func leaveOut(_ statistics: [(cell: ParameterCell, value: Tensor)], _ waited: Double) -> StepReport?
  {
    for (cell, value) in statistics { cell.value = value }
    pace.end(waited: waited)
    return nil
  }

  /// The step's pictures, small as they come.
  private func load(
    _ plans: [BatchPlan], _ step: Int, _ loader: ImageLoader, _ waited: inout Double
  ) throws -> [StepGradients.Batch] {
    let start = ContinuousClock.now
    defer { waited += (ContinuousClock.now - start) / .seconds(1) }
    if !needsPictures { return plans.map { StepGradients.Batch(plan: $0, pictures: []) } }
    return try plans.map { plan in
      guard let pictures = try loader.next() else {
        preconditionFailure("trainer: no batch for step \(step)")
      }
      return StepGradients.Batch(plan: plan, pictures: pictures)
    }
  }

  /// Mean gradients and metrics of a step's batches.
  ///
  /// - Throws: `OddStep`; `TrainingError.stoppedEarly` between two losses.
  private func gradients(_ batches: [StepGradients.Batch], _ step: Int) throws -> StepGradients {
    var sum = StepGradients(task, config, step: step)
    let groups = config.negatives.groups(batchCount: batches.count, rankCount: config.rankCount)
    // A short last group of an epoch is divided by the full count, as published.
    let share =
      config.negatives.acrossAccumulation
      ? 1 / Double(groups.count)
      : Double(batches.count) / Double(groups.count * config.accumulation * config.rankCount)
    for (number, group) in groups.enumerated() {
      if number > 0 { try limits.requireTime(step: step, stepSeconds: 0) }
      for index in group { try recordTrace(step, index, batches[index]) }
      try sum.add(group.map { ($0, batches[$0]) }, share: share, lossCount: groups.count)
    }
    return sum
  }

  private func recordTrace(_ step: Int, _ index: Int, _ batch: StepGradients.Batch) throws {
    guard let trace, trace.covers(step: step + 1) else { return }
    try trace.batch(
      step: step + 1, index: index, images: ImagePipeline.tensor(shown(batch)),
      inputs: task.inputs(.train, batch.plan.indices))
  }

  /// Running statistics of the model, which a forward pass moves.
  private var statistics: [(cell: ParameterCell, value: Tensor)] {
    task.model.cells().filter { $0.cell.role == .buffer }.map { ($0.cell, $0.cell.value) }
  }
}

/// A weight that is not finite after a step: nothing in memory is worth keeping.
private struct BrokenWeight: Error {
  let path: String
  let step: Int
  let origins: [String]

  var error: TrainingError {
    .badData(
      Problem(
        "step \(step)",
        found: "\(path) is not finite after it, on samples \(origins.prefix(4).joined(separator: ", "))",
        hint: "Start anew with a lower --learning_rate and --pretrained_model; the checkpoints stand."))
  }
}
