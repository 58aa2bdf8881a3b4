import CleftData
import CleftFormats
import CleftImaging
import CleftNN
import CleftTensor

/// Times training steps and their parts.
///
/// A step is the trainer's: the loader's next batches, a loss for each or for several together, gradients averaged, their
/// norm, the schedule's rate and the optimizer. The towers' features are leaves of the loss's tape, so that each tower's
/// backward can be timed by itself.
public struct StepBenchmark {
  private let task: ContrastiveTask
  private let optimizer: any Optimizer
  private let config: TrainerConfig
  private let images: Images
  private let schedule: BatchSchedule
  /// Steps before the timed ones.
  public var warmupSteps = 2
  /// Timed steps, at least 1.
  public var timedSteps = 5

  /// Timed steps whose products are noted by shape, at most: captions of other lengths are products of other shapes.
  static let notedSteps = 5

  /// Where pictures come from.
  public enum Images {
    /// The samples' files, by the loader.
    case files(PictureStore)
    /// One tensor `[B, 3, H, W]` of random values for all batches; nothing is waited for.
    case random(sizePixels: Int)
  }

  /// Joins a task and an optimizer.
  ///
  /// - Parameter config: as for a trainer; its number of steps does not count.
  public init(
    task: ContrastiveTask, optimizer: any Optimizer, config: TrainerConfig, images: Images
  ) throws(TrainingError) {
    guard task.model.parameters.contains(where: \.cell.isTrainable) else {
      throw .badConfiguration(
        Problem("model", found: "no trainable parameter", hint: "Drop a --freeze_ option."))
    }
    (self.task, self.optimizer, self.config, self.images) = (task, optimizer, config, images)
    schedule = BatchSchedule(
      sampleCount: task.trainingSamples.count, batchSize: config.batchSize, rankCount: config.rankCount,
      accumulation: config.accumulation, key: RandomKey(seed: config.seed).split("data"),
      sampler: config.sampler)
  }

  /// Takes all steps.
  ///
  /// - Throws: `TrainingError.badData` for numbers that are not finite, and what the loader throws.
  public func run(progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }) throws -> StepMeasurements {
    let count = warmupSteps + timedSteps
    let queue = StepQueue(schedule, from: 0, to: count)
    let source = BatchSource(
      images, task.trainingSamples, config,
      augmentation: config.augments ? RandomKey(seed: config.seed).split("augmentation") : nil,
      plans: { queue.plan($0) })
    defer { source.stop() }
    // As before a training: what a frozen text tower makes of captions is made once.
    task.frozen?.captions[.train]?.encode(.train, Array(task.trainingSamples.indices)) { _, _ in }
    var found = StepMeasurements()
    found.productSteps = min(timedSteps, Self.notedSteps)
    found.imagesPerStep = config.batchSize * schedule.batches(ofStep: 0).count
    found.secondsToFirstStep = ProcessAge.seconds
    for step in 0..<count {
      if step == warmupSteps { begin(&found) }
      let measured = try measure(step, source)
      if step == 0 { found.firstStepSeconds = measured.seconds }
      if step == warmupSteps + found.productSteps - 1 { found.products = ProductLog.stop() }
      if step >= warmupSteps { found.steps.append(measured) }
      progress(step + 1, count)
    }
    found.memory.after = .now
    let used = Runtime.tensorMemory
    found.tensorMemory.timed = (
      used.allocations - found.tensorMemory.before.blocks, used.bytes - found.tensorMemory.before.bytes
    )
    return found
  }

  /// What is read just before the timed steps.
  private func begin(_ found: inout StepMeasurements) {
    let used = Runtime.tensorMemory
    found.tensorMemory.before = (used.allocations, used.bytes)
    found.memory.before = .now
    ProductLog.start()
  }

  private func measure(_ step: Int, _ source: BatchSource) throws -> StepMeasurement {
    var measured = StepMeasurement()
    let (start, work) = (StepClock.now, Runtime.workSeconds)
    let rate = config.schedule.rate(at: step)
    let batches = try measured.time(.dataWait) {
      try schedule.batches(ofStep: step).enumerated().map { index, plan in
        PlannedBatch(index: index, plan: plan, images: try source.next())
      }
    }
    let gradients = try gradients(batches, step, &measured)
    let broken = measured.time(.optimizer) {
      let norm = GradientNorm(gradients, optimizer.groups)
      let scale = norm.scale(limit: config.maxGradientNorm)
      return norm.broken.map { "the gradient of \($0)" }
        ?? optimizer.step(gradients, learningRate: rate, gradientScale: scale)
    }
    if let broken { throw notFinite(broken, step) }
    for batch in batches { measured.textTokens += task.tokenCount(.train, batch.plan.indices) }
    measured.seconds = StepClock.now - start
    let now = Runtime.workSeconds
    measured.productSeconds = now.products - work.products
    measured.attentionSeconds = now.attention - work.attention
    return measured
  }

  private func notFinite(_ what: String, _ step: Int) -> TrainingError {
    .badData(
      Problem("step \(step + 1)", found: "\(what) is not finite", hint: "Lower --learning_rate."))
  }

  // MARK: - Gradients

  /// One batch of a step.
  private struct PlannedBatch {
    let index: Int
    let plan: BatchPlan
    let images: BatchSource.Images
  }

  /// The mean gradient of a step's batches.
  private func gradients(
    _ batches: [PlannedBatch], _ step: Int, _ measured: inout StepMeasurement
  ) throws -> Gradients {
    let groups = config.negatives.groups(batchCount: batches.count, rankCount: config.rankCount)
    let share = Float(1 / Double(groups.count))
    var sum = Gradients()
    for group in groups {
      let own = group.map { batches[$0] }
      sum.add(
        try own.count == 1
          ? one(own[0], step, share, &measured) : several(own, step, share, &measured))
    }
    return sum
  }

  private func features(
    _ batch: PlannedBatch, _ context: ForwardContext, _ measured: inout StepMeasurement
  ) -> [Tensor] {
    let images = measured.time(.dataWait) { batch.images.tensor }
    return [
      measured.time(.imageForward) { task.imageFeature(.train, batch.plan.indices, images, context) },
      measured.time(.textForward) { task.textFeature(.train, batch.plan.indices, context) },
    ]
  }

  /// Gradients of the loss of one batch.
  private func one(
    _ batch: PlannedBatch, _ step: Int, _ share: Float, _ measured: inout StepMeasurement
  ) throws -> Gradients {
    let context = context(step, batch.index)
    let features = features(batch, context, &measured)
    let leaves = features.map { _ in Node() }
    let joined = zip(features, leaves).map { $0.isTracked ? $0.tracked(by: $1) : $0 }
    let loss = try loss(batch.plan.indices, joined, step, share, context, &measured)
    var gradients = loss.without(leaves)
    backward(features, leaves.map { loss[$0] }, into: &gradients, &measured)
    return gradients
  }

  /// Gradients of one loss over several batches: the towers twice, as the trainer has it.
  private func several(
    _ batches: [PlannedBatch], _ step: Int, _ share: Float, _ measured: inout StepMeasurement
  ) throws -> Gradients {
    let known = batches.map { batch in
      var context = context(step, batch.index)
      context.movesStatistics = false
      return withoutGradients { features(batch, context, &measured) }
    }
    let leaves = known[0].map { _ in Node() }
    let joined = leaves.enumerated().map { part, leaf in
      stackedRows(known.map { $0[part] }).tracked(by: leaf)
    }
    let loss = try loss(
      batches.flatMap(\.plan.indices), joined, step, share, context(step, batches[0].index), &measured)
    var gradients = loss.without(leaves)
    var first = 0
    for (batch, own) in zip(batches, known) {
      let rows = first..<first + own[0].shape[0]
      first = rows.upperBound
      let again = features(batch, context(step, batch.index), &measured)
      backward(again, leaves.map { loss[$0]?.rowView(rows) }, into: &gradients, &measured)
    }
    return gradients
  }

  /// Gradients of the heads and the loss, those of the leaves among them.
  private func loss(
    _ indices: [Int], _ features: [Tensor], _ step: Int, _ share: Float, _ context: ForwardContext,
    _ measured: inout StepMeasurement
  ) throws -> Gradients {
    try measured.time(.loss) {
      let result = task.loss(.train, indices, features: features, context)
      guard result.loss.item.isFinite else { throw notFinite("the loss", step) }
      return (result.loss * share).gradients()
    }
  }

  /// Adds the gradients of each tower.
  private func backward(
    _ features: [Tensor], _ known: [Tensor?], into sum: inout Gradients, _ measured: inout StepMeasurement
  ) {
    for (index, part) in [(1, StepPart.textBackward), (0, .imageBackward)] {
      guard features[index].isTracked, let gradient = known[index] else { continue }
      sum.add(measured.time(part) { CleftTensor.gradients(of: [features[index]], [gradient]) })
    }
  }

  private func context(_ step: Int, _ index: Int) -> ForwardContext {
    var context = ForwardContext(
      isTraining: true, key: RandomKey(seed: config.seed).split("dropout", step, index))
    context.movesStatistics = index % config.rankCount == 0
    return context
  }
}
