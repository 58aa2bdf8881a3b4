import CleftAdapters
import CleftData
import CleftFormats
import CleftImaging
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// One training run from options to a run folder and a table.
struct TrainRun {
  let options: TrainOptions

  /// Trains, writes checkpoints, and evaluates the final weights when there is a test set.
  func callAsFunction() throws {
    let (warmup, steps) = (options.optimizer.warm_up, options.optimizer.max_steps)
    guard warmup < steps else {
      throw TrainingError.badConfiguration(
        Problem("--warm_up", found: "\(warmup)", expected: "fewer than --max_steps \(steps)"))
    }
    let resumed = try options.run.checkpoints.resume_ckpt.map { try resumeFolder($0) }
    let state = try resumed.map { try Checkpoint.readState($0) }
    let plan = try TaskCatalog.plan(options)
    let log = RunLog()
    let data = try RunData(options, plan.wishes, log)
    let splits = try data.openSplits()
    let settings = settings(splits.training)
    if let state { try requireSame(settings, state.settings, resumed ?? "") }
    let optimizer = plan.wrapped(makeOptimizer(plan.model))
    if let resumed { try restore(plan, optimizer, from: resumed) }
    let task = try plan.makeTask(splits)
    let trainer = try Trainer(
      task: task, optimizer: optimizer, pictures: data.pictures, config: trainerConfig(splits.training))

    // Everything that can be wrong beforehand has been checked; from here on files are written.
    let run = try RunFolder(
      resuming: resumed, logs: options.run.log.log_dir, name: options.run.log.experiment_name)
    defer { withExtendedLifetime(run) {} }
    let folder = run.path
    try log.open(folder: folder, resumingFrom: state?.step ?? 0)
    if resumed == nil { try FileSystem.write(Data(options.yaml.utf8), to: "\(folder)/resolved.yaml") }
    options.announce(log, plan.departures, isPromptTuning: plan.wishes.isPromptTuning)
    log.say("\(resumed.map { "resuming from \($0)" } ?? "run folder: \(folder)")")
    for note in plan.notes { log.warn(note) }
    log.say(summary(plan.model, splits))
    try data.announce(splits, firstEpoch: trainer.firstEpoch, in: folder)
    for note in task.notes { log.warn(note) }
    warn(state, log, folder)
    Signals.watch()
    let keeper = CheckpointKeeper(folder: "\(folder)/checkpoints", retention: retention) { step, progress in
      Checkpoint.Contents(
        model: plan.model, description: plan.description, optimizer: optimizer,
        tokenizerJSON: plan.tokenizerJSON, state: RunState(step: step, progress: progress, settings: settings)
      )
    }
    try keeper.requireRoom()
    try trainer.fit(
      from: state?.step ?? 0, progress: state?.progress ?? RunProgress(), log: log, keeper: keeper)
    Signals.unwatch()
    log.say("final checkpoint: \(keeper.folder)/\(Checkpoint.folderName(step: options.optimizer.max_steps))")
    if let test = splits.test {
      // Published behavior: the final weights are tested after training.
      try log.record(step: options.optimizer.max_steps, plan.test(test, data, log))
    }
    data.summarize()
    log.summarizeWarnings()
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
    try Checkpoint.load(folder, into: plan.model)
    try Checkpoint.load(folder, into: optimizer)
  }

  /// What a user should know before the numbers come.
  private func warn(_ state: RunState?, _ log: RunLog, _ folder: String) {
    guard let state else { return }
    if let threads = state.settings["threads in use"], threads != "\(Runtime.threadCount)" {
      log.warn(
        "resumed with \(Runtime.threadCount) threads instead of \(threads): equal to rounding, not to the bit."
      )
    }
    let later = RetentionPolicy.setAside(after: state.step, in: "\(folder)/checkpoints")
    if later > 0 { log.warn("\(later) checkpoint(s) of later steps are set aside under another name.") }
  }

  /// Which checkpoints stay.
  private var retention: RetentionPolicy {
    let settings = options.run.checkpoints
    return RetentionPolicy(
      newest: settings.keep_checkpoints, best: settings.keep_best, monitor: settings.monitor,
      isLargerBetter: settings.isLargerBetter)
  }

  private func makeOptimizer(_ model: any Module) -> any Optimizer {
    let settings = options.optimizer
    let groups =
      settings.no_lrd
      ? ParameterGroups.single(model, weightDecay: settings.weight_decay)
      : ParameterGroups.published(
        model, weightDecay: settings.weight_decay, decaysLogitScale: options.isReference)
    return settings.sgd
      ? SGD(groups, momentum: settings.momentum) : AdamW(groups, beta1: settings.momentum)
  }

  /// In which order samples come up; the published one differs from ours where there are ranks.
  private func sampler(_ training: ImageTextDataset) -> Sampler {
    if options.data.balance_training { return .balanced(training.samples) }
    return options.isReference && options.run.devices > 1 ? .published(seed: options.run.seed) : .shuffled
  }

  private func trainerConfig(_ training: ImageTextDataset) -> TrainerConfig {
    let (run, settings) = (options.run, options.optimizer)
    return TrainerConfig(
      batchSize: settings.batch_size, sampler: sampler(training), rankCount: run.devices,
      accumulation: settings.accumulate_grad_batches,
      maxSteps: settings.max_steps,
      schedule: CosineWarmup(
        peak: settings.learning_rate, floor: settings.min_lr, warmupSteps: settings.warm_up,
        cycleSteps: settings.max_steps),
      seed: run.seed, workerCount: options.workerCount, logEverySteps: run.log.log_every,
      checkpointEverySteps: run.checkpoints.checkpoint_every,
      keptCheckpoints: run.checkpoints.keep_checkpoints)
  }

  /// What must be equal for a resumed run to equal one that was not cut.
  private func settings(_ training: ImageTextDataset) -> [String: String] {
    let free: Set<String> = [
      "resume_ckpt", "log_dir", "experiment_name", "threads", "num_workers", "image_cache",
      "checkpoint_every",
      "keep_checkpoints", "log_every", "json", "picture", "print_config", "accelerator", "strategy",
      "data_dir", "prepared", "skip_picture_check", "preview", "on_bad_row", "valid_csv", "test_csv",
      "valid_split",
    ]
    var settings = Dictionary(
      uniqueKeysWithValues: options.resolved.filter { !free.contains($0.name) }.map { ($0.name, $0.value) })
    settings["threads in use"] = "\(Runtime.threadCount)"
    // The data folder may move; what lies below it may not change.
    let folder = options.data.folder + "/"
    let isBalanced = options.data.balance_training
    settings["training samples"] = Checksum.of(
      training.samples.map { sample in
        let path = sample.imagePath
        let name = path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path
        return "\(name) \(sample.caption ?? "")\(isBalanced ? " \(sample.labels)" : "")"
      }.joined(separator: "\n"))
    return settings
  }

  private func requireSame(_ new: [String: String], _ old: [String: String], _ path: String) throws {
    for name in Set(new.keys).union(old.keys).sorted()
    where new[name] != old[name] && name != "threads in use" {
      throw TrainingError.badConfiguration(
        Problem(
          "--resume_ckpt \(path)", found: "\(name) \(new[name] ?? "not set")",
          expected: "\(old[name] ?? "not set") as when it was written",
          hint: "Resume with the same options, or start anew with --pretrained_model."))
    }
  }

  /// The checkpoint to go on from; `last` is the newest run of this name.
  private func resumeFolder(_ path: String) throws(TrainingError) -> String {
    guard path == "last" else { return try Checkpoint.locate(path) }
    let runs = "\(options.run.log.log_dir)/CLEFT"
    let isNewest = { RunFolder.isNamed($0, options.run.log.experiment_name) }
    guard let newest = FileSystem.list(runs).last(where: isNewest) else {
      throw .missing(
        Problem(
          "--resume_ckpt last", found: "no run named '\(options.run.log.experiment_name)' below \(runs)",
          hint: "Give --experiment_name or the run's folder."))
    }
    return try Checkpoint.locate("\(runs)/\(newest)")
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
