import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// `--dry_run`: everything is built, a few steps are taken, and what the run would need is printed; nothing is written.
struct DryRun {
  let run: TrainRun

  /// Steps taken; the first one also makes what later ones use again.
  private static let steps = 3

  func callAsFunction() throws {
    let options = run.options
    let log = RunLog()
    for line in options.idleOptions { log.warn(line) }
    let parts = try run.makeParts(log)
    var config = try run.trainerConfig(parts.splits.training)
    let task = try run.makeTask(parts, config)
    let features = task.frozen
    for notice in features?.notices ?? [] { log.say("\(notice) Not so in the steps tried out here.") }
    // Encoding all samples first is no trial.
    task.keepFeatures(.none)
    (config.maxSteps, config.logEverySteps, config.maxValidationBatches) = (Self.steps, 1, 1)
    config.validatesAtEnd = false
    let before = MemoryFigures.now
    let trainer = try Trainer(
      task: task, optimizer: parts.optimizer, pictures: parts.data.pictures,
      config: config)
    try trainer.fit(from: 0, progress: RunProgress(), log: log, keeper: nil)

    let figures = DryRunFigures(
      parts: ParameterPart.parts(of: parts.plan.model), samples: parts.splits,
      optimizerBytes: parts.optimizer.state.reduce(0) { $0 + 4 * $1.tensor.count },
      before: before, after: MemoryFigures.now, stepSeconds: trainer.newestStepSeconds,
      steps: options.optimizer.max_steps, features: features,
      checkpointBytes: run.contents(parts, RunState(step: 0, settings: [:])).byteCount)
    print(options.run.json ? figures.json : figures.text)
  }
}
