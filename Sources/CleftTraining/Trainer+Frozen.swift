import CleftData
import CleftFormats
import CleftImaging
import CleftTensor

/// What comes before the first step where towers are frozen.
extension Trainer {
  /// Whether steps need their pictures: not where the features of all of them are kept.
  var needsPictures: Bool { task.frozen?.pictures?.isForTraining != true }

  /// Pictures of a batch for somebody who looks at them: those of the loader, or read now if the steps need none.
  func shown(_ batch: StepGradients.Batch) throws -> [GrayImage] {
    if !batch.pictures.isEmpty { return batch.pictures }
    return try batch.plan.indices.map { try pictures.evaluation(task.trainingSamples[$0]) }
  }

  /// Encodes, once, what the steps from one on take of frozen towers; the time it takes is the run's.
  ///
  /// - Throws: `TrainingError.stoppedEarly` between two chunks, after a signal or the time given; what reading pictures
  ///   throws.
  func encodeFrozen(from first: Int, _ progress: inout RunProgress, _ log: RunLog) throws {
    guard let frozen = task.frozen, frozen.keptForTraining != "none" else { return }
    let start = ContinuousClock.now
    defer { progress.seconds += (ContinuousClock.now - start) / .seconds(1) }
    let isNeeded = samplesNeeded(from: first)
    func report(_ what: String) -> (Int, Int) throws -> Void {
      { [self] done, count in
        log.progress("encoded \(done)/\(count) \(what)", isMilestone: done == count)
        try requireTime(toEncode: "\(done) of \(count) \(what)", step: first)
      }
    }
    let samples = isNeeded.indices.filter { isNeeded[$0] }
    try frozen.captions[.train]?.encode(.train, samples, progress: report("captions"))
    if let kept = frozen.pictures, kept.isForTraining {
      let pass = ImagePass(
        pictures: pictures, batchSize: FrozenPictures.chunkSize, workerCount: config.workerCount)
      try kept.encode(
        pass, task.trainingSamples, isNeeded: isNeeded, progress: report("training pictures"))
    }
  }

  /// Fails if the run has to end between two chunks: what was encoded is gone then, and a process that is given no more time
  /// would get no further.
  private func requireTime(toEncode what: String, step: Int) throws(TrainingError) {
    guard let reason = limits.reasonToEnd() else { return }
    let isAsked = Signals.stopRequest != nil
    let advice = isAsked ? "the next one begins anew" : "allow more --max_time"
    let goOn = step > 0 ? " Go on with --resume_ckpt last; its checkpoint stands." : ""
    throw .stoppedEarly(
      Problem(
        "step \(step)", found: "\(reason) before the next step, with \(what) encoded",
        hint:
          "Features that are kept do not outlive a process: \(advice), or pass --no_feature_cache.\(goOn)"))
  }

  /// For each training sample whether a step from one on takes it.
  private func samplesNeeded(from first: Int) -> [Bool] {
    var isNeeded = Array(repeating: false, count: task.trainingSamples.count)
    var others = isNeeded.count
    for step in first..<max(first, config.maxSteps) where others > 0 {
      for sample in schedule.batches(ofStep: step).flatMap(\.indices) where !isNeeded[sample] {
        isNeeded[sample] = true
        others -= 1
      }
    }
    return isNeeded
  }
}
