import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// One training run from options to a run folder and a table.
///
/// The task is looked up; what is done here is the same for every task.
struct TrainRun {
  let options: TrainOptions

  /// Trains, writes checkpoints, and evaluates the final weights when there is a test set.
  func callAsFunction() throws {
    let limits = RunLimits(maxSeconds: options.run.guards.maxSeconds)
    Signals.watch()
    defer { Signals.unwatch() }
    try requireSense()
    if options.run.dry_run { return try DryRun(run: self)() }
    let log = RunLog()
    // Nobody else may write there from before it is read.
    let locked = try RunFolder.runToResume(options.run.checkpoints.resume_ckpt, options.run.log)
    let resumed = try RunFolder.checkpointToResume(options.run.checkpoints.resume_ckpt, options.run.log, log)
    let state = try resumed.map { try Checkpoint.readState($0) }
    let parts = try makeParts(log)
    var settings = settings(parts.splits.training)
    if let state { try requireSame(settings, state.settings, resumed ?? "") }
    if let resumed { try restore(parts.plan, parts.optimizer, from: resumed) }
    let config = try trainerConfig(parts.splits.training)
    let task = try makeTask(parts, config)
    settings[Self.keepingSetting] = task.frozen?.kept ?? Self.keepsNothing
    let trainer = try Trainer(
      task: task, optimizer: parts.optimizer, pictures: parts.data.pictures, config: config, limits: limits)
    let trace = try options.run.log.trace.map { try RunTrace(folder: $0, steps: options.run.log.trace_steps) }

    // Everything that can be wrong beforehand has been checked; from here on files are written.
    let run = try !options.writesRunFolder ? nil : locked ?? RunFolder(options.run.log)
    defer { withExtendedLifetime((run, locked)) {} }
    let keeper = run.map { makeKeeper($0, parts, settings, log) }
    try keeper?.requireRoom()
    if let run { try open(run, log, resumed, state, settings) }
    let later = try keeper?.startOver(at: state?.step ?? 0) ?? 0
    if later > 0 { log.warn("\(later) checkpoint(s) of later steps are set aside under another name.") }
    try announce(parts, task, trainer, log, in: run?.path)
    trainer.trace = try trace.map { try started($0, parts) }
    Signals.begin()
    try trainer.fit(
      from: state?.step ?? 0, progress: state?.progress ?? RunProgress(), log: log, keeper: keeper)
    Signals.unwatch()
    try conclude(parts, keeper, log)
  }

  /// A trace with the weights that the run begins with.
  private func started(_ trace: RunTrace, _ parts: Parts) throws -> RunTrace {
    try trace.start(model: parts.plan.model, description: parts.plan.description, options: options.resolved)
    return trace
  }

  /// A run's model, data and optimizer.
  struct Parts {
    let plan: any TaskPlan
    let data: RunData
    let splits: RunSplits
    let optimizer: any Optimizer
  }

  /// Builds what the options describe.
  func makeParts(_ log: RunLog) throws -> Parts {
    let plan = try TaskCatalog.plan(options)
    let data = try RunData(options, plan.wishes, log)
    return Parts(plan: plan, data: data, splits: try data.openSplits(), optimizer: try makeOptimizer(plan))
  }

  private func open(
    _ run: RunFolder, _ log: RunLog, _ resumed: String?, _ state: RunState?, _ settings: [String: String]
  ) throws {
    try log.open(
      folder: run.path, resumingFrom: state?.step ?? 0,
      keepsValidation: state.map { $0.progress.validationStep == $0.step } ?? true,
      writesEvents: !options.run.log.no_tensorboard)
    try writeOptions(run, state)
    log.say("\(resumed.map { "resuming from \($0)" } ?? "run folder: \(run.path)")")
    guard let state else { return }
    let soft: [(name: String, what: String, unsaid: String?)] = [
      (Self.threadSetting, "threads", nil),
      (Self.keepingSetting, "features kept of frozen towers", Self.keepsNothing),
    ]
    for (name, what, unsaid) in soft {
      guard let old = state.settings[name] ?? unsaid, let new = settings[name], old != new else { continue }
      log.warn("resumed with other \(what) (\(new), not \(old)): equal to rounding, not to the bit.")
    }
  }

  /// The options of the run; those of a process that goes on with others are a file of their own.
  private func writeOptions(_ run: RunFolder, _ state: RunState?) throws {
    let path = "\(run.path)/resolved.yaml"
    let text = Data(options.yaml.utf8)
    if let state, let old = try? FileSystem.read(path) {
      if old != text { try FileSystem.write(text, to: "\(run.path)/resolved-from-\(state.step).yaml") }
    } else {
      try FileSystem.write(text, to: path)
    }
  }

  /// What a user should know before the numbers come.
  private func announce(
    _ parts: Parts, _ task: any TrainingTask, _ trainer: Trainer, _ log: RunLog, in folder: String?
  ) throws {
    options.announce(log, parts.plan.departures, isPromptTuning: parts.plan.wishes.isPromptTuning)
    for note in parts.plan.notes + task.notes { log.warn(note) }
    for notice in task.frozen?.notices ?? [] { log.say(notice) }
    log.say(summary(parts.plan.model, parts.splits))
    if let folder {
      try parts.data.announce(parts.splits, firstEpoch: trainer.firstEpoch, in: folder)
    }
  }

  private func makeKeeper(
    _ run: RunFolder, _ parts: Parts, _ settings: [String: String], _ log: RunLog
  ) -> CheckpointKeeper {
    CheckpointKeeper(
      folder: "\(run.path)/checkpoints", retention: retention, warn: { log.warn($0) }
    ) { step, progress in
      contents(parts, RunState(step: step, progress: progress, settings: settings))
    }
  }

  /// What a checkpoint holds.
  func contents(_ parts: Parts, _ state: RunState) -> Checkpoint.Contents {
    var contents = Checkpoint.Contents(
      model: parts.plan.model, description: parts.plan.description, optimizer: parts.optimizer,
      tokenizerJSON: parts.plan.tokenizerJSON, state: state,
      storesBase: options.run.checkpoints.whole_checkpoints)
    contents.optionsYAML = options.readingYAML
    return contents
  }

  /// Takes weights and optimizer state from a checkpoint of the same model.
  private func restore(_ plan: any TaskPlan, _ optimizer: any Optimizer, from folder: String) throws {
    let stored = try StoredModelCatalog.read(folder)
    guard jsonText(stored) == jsonText(plan.description) else {
      throw TrainingError.badConfiguration(
        Problem(
          "--resume_ckpt \(folder)", found: "another model than the options and files describe now",
          expected: "the one in its model.json", hint: "Has a file behind an option been replaced?"))
    }
    try Checkpoint.load(folder, into: plan.model, modelFolder: options.model.model_dir)
    try Checkpoint.load(folder, into: optimizer)
  }

  /// Tests the final weights, as published, or the best ones, and ends the log.
  private func conclude(_ parts: Parts, _ keeper: CheckpointKeeper?, _ log: RunLog) throws {
    let steps = options.optimizer.max_steps
    if let keeper {
      log.say("final checkpoint: \(keeper.folder)/\(Checkpoint.folderName(step: steps))")
      if options.run.checkpoints.test_best {
        if let best = keeper.best {
          log.say("testing the best checkpoint: \(best)")
          try Checkpoint.load(best, into: parts.plan.model, modelFolder: options.model.model_dir)
        } else {
          log.warn("--test_best: no checkpoint has a score, so the last weights are tested.")
        }
      }
    }
    if var test = parts.splits.test {
      if let limit = options.testPictureLimit { test.samples = Array(test.samples.prefix(limit)) }
      let folder = keeper.map { ($0.folder as NSString).deletingLastPathComponent }
      try log.record(step: steps, parts.plan.test(test, parts.data, log, in: folder))
    }
    try log.flush()
    for note in parts.optimizer.notes { log.warn(note) }
    parts.data.summarize()
    log.summarizeWarnings()
  }

  /// Settings that contradict each other.
  func requireSense() throws(TrainingError) {
    let (warmup, steps) = (options.optimizer.warm_up, options.optimizer.max_steps)
    guard warmup < steps else {
      throw .badConfiguration(
        Problem("--warm_up", found: "\(warmup)", expected: "fewer than --max_steps \(steps)"))
    }
    guard options.optimizer.layer_decay == 1 || !options.optimizer.no_lrd else {
      throw .badConfiguration(
        Problem("--layer_decay", found: "with --no_lrd, which has one group", expected: "one of them"))
    }
  }

  private func summary(_ model: any Module, _ splits: RunSplits) -> String {
    let training = splits.training
    let all = model.parameters
    let total = all.reduce(0) { $0 + $1.cell.shape.count }
    let trained = all.filter(\.cell.isTrainable).reduce(0) { $0 + $1.cell.shape.count }
    let leftOut =
      training.leftOut.isEmpty
      ? "" : ", left out: " + training.leftOut.map { "\($1) \($0)" }.sorted().joined(separator: ", ")
    return
      "parameters: \(total), trainable: \(trained); training samples: \(training.samples.count)\(leftOut); "
      + "validation samples: \(splits.validation?.samples.count ?? 0); threads: \(Runtime.threadCount)"
  }
}
