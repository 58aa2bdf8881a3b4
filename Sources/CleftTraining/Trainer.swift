import CleftData
import CleftFormats
import CleftImaging
import CleftNN
import CleftTensor
import Foundation

/// Settings of the training loop.
public struct TrainerConfig: Sendable {
  /// Samples of one batch of one rank.
  public var batchSize: Int
  /// In which order samples come up.
  public var sampler: Sampler
  /// Data-parallel ranks, run one after another in this process.
  public var rankCount: Int
  /// Batches of a rank that make one step.
  public var accumulation: Int
  /// Optimizer steps in all.
  public var maxSteps: Int
  /// Learning rate of each step.
  public var schedule: any LearningRateSchedule
  /// Seed of shuffling, augmentation and dropout.
  public var seed: UInt64
  /// Decoding threads.
  public var workerCount: Int
  /// Steps between lines of numbers.
  public var logEverySteps: Int
  /// Steps between checkpoints; 0 writes only at the end.
  public var checkpointEverySteps: Int
  /// Checkpoints that stay.
  public var keptCheckpoints: Int

  /// Makes settings.
  public init(
    batchSize: Int, sampler: Sampler = .shuffled, rankCount: Int, accumulation: Int, maxSteps: Int,
    schedule: any LearningRateSchedule, seed: UInt64,
    workerCount: Int, logEverySteps: Int,
    checkpointEverySteps: Int,
    keptCheckpoints: Int
  ) {
    self.batchSize = batchSize
    self.sampler = sampler
    self.rankCount = rankCount
    self.accumulation = accumulation
    self.maxSteps = maxSteps
    self.schedule = schedule
    self.seed = seed
    self.workerCount = workerCount
    self.logEverySteps = logEverySteps
    self.checkpointEverySteps = checkpointEverySteps
    self.keptCheckpoints = keptCheckpoints
  }
}

/// The training loop: batches in, gradients averaged over ranks and accumulated batches, one optimizer step, files out.
///
/// Every random number is keyed by seed and step or sample, so a run cut anywhere and resumed equals one that was not.
public final class Trainer {
  private let task: any TrainingTask
  private let optimizer: any Optimizer
  private let config: TrainerConfig
  private let schedule: BatchSchedule
  private let pictures: PictureStore

  /// Makes a trainer; nothing is written yet.
  ///
  /// - Throws: `TrainingError.badConfiguration` if an epoch would hold no batch or nothing is trained.
  public init(
    task: any TrainingTask, optimizer: any Optimizer, pictures: PictureStore, config: TrainerConfig
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
    self.task = task
    self.optimizer = optimizer
    self.config = config
    schedule = BatchSchedule(
      sampleCount: count, batchSize: config.batchSize, rankCount: config.rankCount,
      accumulation: config.accumulation, key: RandomKey(seed: config.seed).split("data"),
      sampler: config.sampler)
    self.pictures = pictures
  }

  /// Samples of the first epoch, in the order in which they come up.
  public var firstEpoch: [Int] { schedule.order(ofEpoch: 0) }

  /// Trains from `firstStep` to the end.
  ///
  /// - Parameters:
  ///   - progress: what the run carried along up to `firstStep`.
  ///   - keeper: writes the checkpoints.

  /// - Throws: `TrainingError.stoppedEarly` after a signal, with a checkpoint written.
  public func fit(from firstStep: Int, progress: RunProgress, log: RunLog, keeper: CheckpointKeeper) throws {
    func saveCheckpoint(_ step: Int) throws { try keeper.save(step: step, progress: progress) }
    let loader = ImageLoader(
      samples: task.trainingSamples, pictures: pictures,
      augmentation: RandomKey(seed: config.seed).split("augmentation"), workerCount: config.workerCount,
      plans: Self.plans(schedule, from: firstStep, to: config.maxSteps))
    defer { loader.stop() }
    var pace = Pace(firstStep: firstStep)
    var savedStep = firstStep
    for step in firstStep..<max(firstStep, config.maxSteps) {
      let plans = schedule.batches(ofStep: step)
      let buffers = buffers
      var metrics: [String: Double]
      let rate = config.schedule.rate(at: step)
      do {
        let gradients: Gradients
        (gradients, metrics) = try self.gradients(of: plans, step: step, loader, &pace)
        metrics["grad_norm"] = try norm(gradients, step: step, plans)
        optimizer.step(gradients, learningRate: rate)
      } catch {
        // What was reached is not lost with the batch that could not be had.
        for (cell, value) in buffers { cell.value = value }
        if step > savedStep { try saveCheckpoint(step) }
        throw error
      }
      let done = step + 1
      // Numbers that cannot be written must not cost the checkpoint that is due.
      let reported = Result { try report(done, metrics, rate, pace, log) }
      let isDue = config.checkpointEverySteps > 0 && done % config.checkpointEverySteps == 0
      if isDue || done == config.maxSteps {
        try saveCheckpoint(done)
        savedStep = done
      }
      try reported.get()
      if done % schedule.stepsPerEpoch == 0 { try validate(step: done, log) }
    }
  }

  /// Running statistics of the model, which a forward pass moves.
  private var buffers: [(cell: ParameterCell, value: Tensor)] {
    task.model.cells().filter { $0.cell.role == .buffer }.map { ($0.cell, $0.cell.value) }
  }

  /// A request to stop, as an error that says what stands.
  private func stopIfAsked(_ step: Int) throws(TrainingError) {
    guard let signal = Signals.stopRequest else { return }
    throw .stoppedEarly(
      step == 0
        ? Problem(
          "step 0", found: "asked to stop by signal \(signal) before the first step; nothing to go on from")
        : Problem(
          "step \(step)", found: "asked to stop by signal \(signal); a checkpoint is written",
          hint: "Go on with --resume_ckpt last."))
  }

  /// Mean gradients and metrics of a step's batches.
  private func gradients(
    of plans: [BatchPlan], step: Int, _ loader: ImageLoader, _ pace: inout Pace
  ) throws -> (Gradients, [String: Double]) {
    var gradients = Gradients()
    var metrics: [String: Double] = [:]
    let share = Float(1 / Double(config.accumulation * config.rankCount))
    for (index, plan) in plans.enumerated() {
      try stopIfAsked(step)
      let before = Date()
      guard let images = try loader.next() else { preconditionFailure("trainer: no batch for step \(step)") }
      pace.waited += Date().timeIntervalSince(before)
      let key = RandomKey(seed: config.seed).split("dropout", step, index)
      var context = ForwardContext(isTraining: true, key: key)
      context.movesStatistics = index % config.rankCount == 0
      let result = task.loss(.train, plan.indices, ImagePipeline.tensor(images), context)
      guard result.loss.item.isFinite else {
        throw notFinite("loss \(result.loss.item)", step: step, [plan])
      }
      gradients.add((result.loss * share).gradients())
      for (name, value) in result.metrics { metrics[name, default: 0] += value / Double(plans.count) }
    }
    return (gradients, metrics)
  }

  /// Length of the whole gradient.
  ///
  /// - Throws: `TrainingError.badData` naming the first parameter whose gradient is not finite, before it does harm.
  private func norm(_ gradients: Gradients, step: Int, _ plans: [BatchPlan]) throws(TrainingError) -> Double {
    var total = 0.0
    for named in task.model.parameters where named.cell.isTrainable {
      guard let gradient = gradients[named.cell.leaf] else { continue }
      let squares = gradient.sumOfSquares
      if !squares.isFinite { throw notFinite("gradient of \(named.path)", step: step, plans) }
      total += squares
    }
    return total.squareRoot()
  }

  private func notFinite(_ what: String, step: Int, _ plans: [BatchPlan]) -> TrainingError {
    let origins = plans.flatMap(\.indices).prefix(3).map { task.trainingSamples[$0].origin }
    return .badData(
      Problem(
        "step \(step + 1)", found: "\(what) is not finite on samples \(origins.joined(separator: ", ")), …",
        hint: "Lower --learning_rate or look at those samples; the last checkpoint stands."))
  }

  /// Loss and accuracy on the validation samples, whole batches only.
  private func validate(step: Int, _ log: RunLog) throws {
    let size = config.batchSize
    if task.validationSamples.isEmpty { return }
    let count = task.validationSamples.count / size
    if count == 0 {
      log.warn(
        "\(task.validationSamples.count) validation samples are fewer than --batch_size \(size): no validation."
      )
      return
    }
    let loader = ImageLoader(
      samples: task.validationSamples, pictures: pictures, augmentation: nil, workerCount: config.workerCount
    ) { $0 < count ? BatchPlan(indices: Array($0 * size..<($0 + 1) * size), epoch: 0) : nil }
    defer { loader.stop() }
    var metrics: [String: Double] = [:]
    for batch in 0..<count {
      guard let images = try loader.next() else { break }
      let result = withoutGradients {
        task.loss(.valid, Array(batch * size..<(batch + 1) * size), ImagePipeline.tensor(images), .evaluation)
      }
      for (name, value) in result.metrics { metrics["val_\(name)", default: 0] += value / Double(count) }
    }
    let epoch = step / schedule.stepsPerEpoch
    metrics["epoch"] = Double(epoch - 1)
    try log.record(step: step, metrics)
    let line =
      "epoch \(epoch)  step \(step)  val_loss \(fixed(metrics["val_loss"], 4))  "
      + "val_acc1 \(fixed(metrics["val_acc1"], 1)) %"
    log.progress(line, isMilestone: true)
  }

  private func report(
    _ done: Int, _ metrics: [String: Double], _ rate: Double, _ pace: Pace, _ log: RunLog
  ) throws {
    let isLogged = done % config.logEverySteps == 0 || done == config.maxSteps
    let seconds = pace.seconds(aStep: done)
    let images = Double(config.batchSize * config.rankCount * config.accumulation) / seconds
    if isLogged {
      var values = Dictionary(uniqueKeysWithValues: metrics.map { ("train_\($0.key)", $0.value) })
      values["epoch"] = Double(schedule.epoch(ofStep: done - 1))
      values["lr-\(optimizer.name)"] = rate
      values["images_per_s"] = images
      values["data_wait_fraction"] = pace.waited / pace.elapsed
      values["resident_mib"] = Double(residentBytes() >> 20)
      values["tensor_blocks"] = Double(Runtime.tensorMemory.allocations)
      try log.record(step: done, values)
    }
    let left = Duration.seconds(seconds * Double(config.maxSteps - done))
      .formatted(.units(allowed: [.hours, .minutes, .seconds], width: .narrow))
    log.progress(
      "step \(done)/\(config.maxSteps)  loss \(fixed(metrics["loss"], 4))  lr \(String(format: "%.2e", rate))  "
        + "\(fixed(images, 1)) images/s  \(residentBytes() >> 20) MiB  "
        + "data wait \(fixed(100 * pace.waited / pace.elapsed, 1)) %  \(left) left", isMilestone: isLogged)
  }

  private func fixed(_ value: Double?, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value ?? .nan)
  }

  /// The batches of all steps from one on, as one sequence.
  private static func plans(
    _ schedule: BatchSchedule, from first: Int, to last: Int
  ) -> @Sendable (Int) -> BatchPlan? {
    let memory = StepMemory()
    return { batch in memory.plan(batch, schedule, first: first, last: last) }
  }
}

/// How fast a run goes.
private struct Pace {
  let firstStep: Int
  /// Seconds spent waiting for pictures.
  var waited = 0.0
  private let start = Date()

  init(firstStep: Int) { self.firstStep = firstStep }

  /// Seconds since the start.
  var elapsed: Double { Date().timeIntervalSince(start) }

  /// Mean seconds a step so far.
  func seconds(aStep done: Int) -> Double { elapsed / Double(done - firstStep) }
}

/// Finds the `n`-th batch without computing an epoch's order more than once.
private final class StepMemory: Sendable {
  private let known = NSLock()
  nonisolated(unsafe) private var batches: [BatchPlan] = []
  nonisolated(unsafe) private var dropped = 0
  nonisolated(unsafe) private var nextStep: Int?

  func plan(_ batch: Int, _ schedule: BatchSchedule, first: Int, last: Int) -> BatchPlan? {
    known.withLock {
      while dropped + batches.count <= batch {
        let step = nextStep ?? first
        if step >= last { return nil }
        batches += schedule.batches(ofStep: step)
        nextStep = step + 1
      }
      // Readers are at most a few batches apart.
      let unneeded = batch - 64 - dropped
      if unneeded > 2048 {
        batches.removeFirst(unneeded)
        dropped += unneeded
      }
      return batches[batch - dropped]
    }
  }
}
