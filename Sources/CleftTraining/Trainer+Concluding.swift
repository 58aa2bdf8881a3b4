import CleftData
import CleftFormats
import CleftImaging
import CleftNN
import CleftTensor
import Foundation

/// What a step gave, for the log.
struct StepReport {
  let metrics: [String: Double]
  let gradientNorm: Double
  let learningRate: Double
}

/// The newest checkpoint written by this process, or the one it started from.
struct SavePoint {
  var step: Int
  var time = ContinuousClock.now

  /// Seconds since it was written.
  var ageSeconds: Double { (ContinuousClock.now - time) / .seconds(1) }
}

/// An error behind a step that counted: whatever could be saved has been.
struct ConcludingFailure: Error {
  let error: any Error
}

/// What follows each step: numbers, validation, checkpoint, in an order in which none costs another.
extension Trainer {
  /// Logs a step, validates and saves as far as they are due.
  ///
  /// - Parameters:
  ///   - done: steps done.
  ///   - report: nil for a step that was left out.
  /// - Throws: `ConcludingFailure`, after the checkpoint that a failure of something else must not cost.
  func conclude(
    _ done: Int, _ report: StepReport?, _ progress: inout RunProgress, _ saved: inout SavePoint,
    _ log: RunLog, _ keeper: CheckpointKeeper?
  ) throws {
    let isLast = done == config.maxSteps
    progress.epochs = done / schedule.stepsPerEpoch

    var failures: [any Error] = []
    do {
      if let report {
        try trace?.step(done, loss: report.metrics["loss"] ?? .nan, learningRate: report.learningRate)
      }
    } catch { failures.append(error) }
    do { try record(done, report, progress, log) } catch { failures.append(error) }
    if isValidationDue(done) {
      do { try validate(done, &progress, log) } catch { failures.append(error) }
    }
    let isDue = config.checkpoints.isDue(
      step: done, isEpochEnd: done % schedule.stepsPerEpoch == 0,
      epoch: done / schedule.stepsPerEpoch, secondsSinceSave: saved.ageSeconds)
    let isBest = keeper?.isAmongBest(progress, step: done) ?? false
    do {
      if isDue || isLast || isBest || !failures.isEmpty {
        let start = ContinuousClock.now
        try keeper?.save(step: done, progress: progress, keepsOthers: progress.consecutiveSkips > 0)
        longestSave = max(longestSave, (ContinuousClock.now - start) / .seconds(1))
        saved = SavePoint(step: done)
        try log.flush()
      }
    } catch { failures.insert(error, at: 0) }
    guard let first = failures.first else { return }
    // A checkpoint that could not be written says what stands, so it comes first; nothing else goes unsaid.
    for other in failures.dropFirst() { log.warn("\(other)") }
    throw ConcludingFailure(error: first)
  }

  /// What comes before the first step: as published two validation batches, to find what is wrong with them now; after a
  /// resume the validation that the process before did not come to.
  func look(
    beforeStep first: Int, _ progress: inout RunProgress, _ log: RunLog, _ keeper: CheckpointKeeper?
  ) throws {
    if first > 0 {
      guard isValidationDue(first), progress.validationStep != first else { return }
      try validate(first, &progress, log)
      // The checkpoint is judged by it from here on.
      if progress.validationStep == first { try keeper?.save(step: first, progress: progress) }
      return
    }
    let pass = validation(maxBatches: min(2, config.maxValidationBatches ?? 2))
    guard pass.batchCount > 0, let (found, _) = try pass.run(mustEnd: { mustEnd }) else { return }
    try keeper?.requireMonitor(among: found.keys)
  }

  /// Whether the process was asked to stop, or its time is over.
  private var mustEnd: Bool { limits.reasonToEnd(beforeSeconds: longestSave) != nil }

  /// Pictures of the first batch, as the model sees them.
  func recordFirst(_ batches: [StepGradients.Batch], _ log: RunLog) throws {
    guard let first = batches.first, !log.recorders.isEmpty else { return }
    try log.images(step: 0, "first_batch", shown(first))
  }

  private func isValidationDue(_ done: Int) -> Bool {
    if task.validationSamples.isEmpty { return false }
    if config.validatesAtEnd, done == config.maxSteps { return true }
    return config.validateEverySteps > 0
      ? done % config.validateEverySteps == 0 : done % schedule.stepsPerEpoch == 0
  }

  private func validation(maxBatches: Int?) -> ValidationPass {
    ValidationPass(
      task: task, pictures: pictures, batchSize: config.batchSize, workerCount: config.workerCount,
      maxBatches: maxBatches)
  }

  /// Loss and metrics on the validation samples.
  private func validate(_ done: Int, _ progress: inout RunProgress, _ log: RunLog) throws {
    let pass = validation(maxBatches: config.maxValidationBatches)
    guard pass.batchCount > 0 else {
      let count = task.validationSamples.count
      log.warn("\(count) validation samples are fewer than --batch_size \(config.batchSize): no validation.")
      return
    }
    // What a process that was asked to stop does not come to, the one that goes on does first.
    guard let (found, scores) = try pass.run(mustEnd: { mustEnd }) else { return }
    (progress.validation, progress.validationStep) = (found, done)
    var metrics = found
    metrics["epoch"] = Double(schedule.epoch(ofStep: done - 1))
    try log.record(step: done, metrics)
    for one in scores { try log.curve(step: done, "val/\(one.name)", one) }
    let accuracy =
      ["val_acc1", "val_acc"].first { found[$0] != nil }
      .map { "  \($0) " + String(format: "%.1f %%", found[$0] ?? .nan) } ?? ""
    let loss = Figure.digits(found["val_loss"] ?? .nan)
    log.progress(
      "epoch \(schedule.epoch(ofStep: done - 1) + 1)  step \(done)  val_loss \(loss)\(accuracy)",
      isMilestone: true)
  }
}

// MARK: - Numbers

extension Trainer {
  /// Shows a step, and records it if it is due.
  private func record(_ done: Int, _ report: StepReport?, _ progress: RunProgress, _ log: RunLog) throws {
    let isLogged = done % config.logEverySteps == 0 || done == config.maxSteps
    let isHistogrammed =
      config.histogramEverySteps > 0 && (done % config.histogramEverySteps == 0 || done == config.maxSteps)
    guard let report else {
      if isLogged { try log.record(step: done, ["skipped_steps": Double(progress.skippedSteps)]) }
      return
    }
    let figures = figures(done, report)
    log.progress(figures, isMilestone: isLogged)
    if isLogged {
      var values = figures.scalars
      values["grad_norm"] = report.gradientNorm
      values["seconds"] = progress.seconds
      if progress.skippedSteps > 0 { values["skipped_steps"] = Double(progress.skippedSteps) }
      pace.endInterval()
      try log.record(step: done, values)
    }
    if isHistogrammed { try recordAdapters(done, log) }
  }

  private func figures(_ done: Int, _ report: StepReport) -> StepFigures {
    var figures = StepFigures(
      step: done, of: config.maxSteps, epoch: schedule.epoch(ofStep: done - 1), metrics: report.metrics,
      optimizer: optimizer.name,
      learningRates: optimizer.groups.map { $0.rateScale * report.learningRate })
    let (seconds, recent) = (max(pace.stepSeconds, 1e-9), max(pace.intervalStepSeconds, 1e-9))
    figures.imagesPerSecond = Double(config.batchSize * config.rankCount * config.accumulation) / recent
    figures.tokensPerSecond = Double(tokens) / max(pace.seconds, 1e-9)
    figures.stepSeconds = recent
    figures.productFraction = pace.fraction(pace.work.products)
    figures.attentionFraction = pace.fraction(pace.work.attention)
    figures.waitFraction = pace.fraction(pace.waitedSeconds)
    figures.residentBytes = residentBytes()
    figures.tensorBlocks = Runtime.tensorMemory.allocations
    figures.secondsLeft = seconds * Double(config.maxSteps - done)
    return figures
  }

  /// Distributions of what adapters and prompts have learned.
  private func recordAdapters(_ done: Int, _ log: RunLog) throws {
    let marks = ["lora_", "ia3_", "prompt_encoder", "prefix_encoder"]
    for named in task.model.parameters where named.cell.isTrainable {
      guard marks.contains(where: named.path.contains) else { continue }
      try log.histogram(step: done, named.path, named.cell.value.array)
    }
  }
}
