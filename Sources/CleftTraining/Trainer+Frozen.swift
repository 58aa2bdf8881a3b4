import CleftData
import CleftTensor

/// What comes before the first step where towers are frozen.
extension Trainer {
  /// Whether steps need their pictures: not where the features of all of them are kept, unless they are traced.
  var needsPictures: Bool { trace != nil || task.frozen?.pictures?.isForTraining != true }

  /// Encodes, once, what the steps from one on take of frozen towers.
  ///
  /// - Throws: `TrainingError.stoppedEarly` between two chunks, after a signal or the time given; what reading pictures
  ///   throws.
  func encodeFrozen(from first: Int, _ log: RunLog) throws {
    guard let frozen = task.frozen, frozen.keptForTraining != "none" else { return }
    let isNeeded = samplesNeeded(from: first)
    func report(_ what: String) -> (Int, Int) throws -> Void {
      { [limits] done, count in
        log.progress("encoded \(done)/\(count) \(what)", isMilestone: done == count)
        try limits.requireTime(step: first, stepSeconds: 0)
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
