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
    do { try record(done, report, progress, log) } catch { failures.append(error) }
    if isValidationDue(done) {
      do { try validate(done, &progress, log) } catch { failures.append(error) }
    }
    let isDue = config.checkpoints.isDue(
      step: done, isEpochEnd: done % schedule.stepsPerEpoch == 0,
      epoch: done / schedule.stepsPerEpoch, secondsSinceSave: saved.ageSeconds)
    do {
      if isDue || isLast || !failures.isEmpty {
        try keeper?.save(step: done, progress: progress)
        saved = SavePoint(step: done)
        try log.flush()
      }
    } catch { failures.append(error) }
    if let first = failures.first { throw ConcludingFailure(error: first) }
  }

  /// What comes before the first step: as published two validation batches, to find what is wrong with them now; after a
  /// resume the validation that the process before did not come to.
  func look(beforeStep first: Int, _ progress: inout RunProgress, _ log: RunLog) throws {
    if first > 0 {
      if first < config.maxSteps, isValidationDue(first), progress.validationStep != first {
        try validate(first, &progress, log)
      }
      return
    }
    _ = try validation(maxBatches: min(2, config.maxValidationBatches ?? 2)).run()
  }

  /// Pictures of the first batch, as the model sees them.
  func recordFirst(_ batches: [StepGradients.Batch], _ log: RunLog) throws {
    guard let first = batches.first else { return }
    try log.images(step: 0, "first_batch", first.pictures)
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
    guard let (found, scores) = try pass.run() else { return }
    (progress.validation, progress.validationStep) = (found, done)
    var metrics = found
    metrics["epoch"] = Double(schedule.epoch(ofStep: done - 1))
    try log.record(step: done, metrics)
    for one in scores { try log.curve(step: done, "val/\(one.name)", one) }
    let accuracy =
      ["val_acc1", "val_acc"].first { found[$0] != nil }
      .map { "  \($0) " + String(format: "%.1f %%", found[$0] ?? .nan) } ?? ""
    let loss = String(format: "%.4f", found["val_loss"] ?? .nan)
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
    let isHistogrammed = config.histogramEverySteps > 0 && done % config.histogramEverySteps == 0
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
      try log.record(step: done, values)
    }
    if isHistogrammed { try recordAdapters(done, log) }
  }

  private func figures(_ done: Int, _ report: StepReport) -> StepFigures {
    var figures = StepFigures(
      step: done, of: config.maxSteps, epoch: schedule.epoch(ofStep: done - 1), metrics: report.metrics,
      optimizer: optimizer.name,
      learningRates: optimizer.groups.map { $0.rateScale * report.learningRate })
    let seconds = max(pace.stepSeconds, 1e-9)
    figures.imagesPerSecond = Double(config.batchSize * config.rankCount * config.accumulation) / seconds
    figures.tokensPerSecond = Double(tokens) / max(pace.seconds, 1e-9)
    figures.stepSeconds = seconds
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
