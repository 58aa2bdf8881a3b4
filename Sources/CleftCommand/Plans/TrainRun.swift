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
    try requireSense()
    let resumed = try options.run.resume_ckpt.map { try resumeFolder($0) }
    let state = try resumed.map { try Checkpoint.readState($0) }
    let loaded = try ModelSource(
      options: options.model, isReference: options.isReference, seed: options.run.seed,
      totalSteps: options.optimizer.max_steps, captionLength: options.data.captionLength
    ).trainable()
    let log = RunLog()
    let data = try RunData(options, loaded.description, log)
    let splits = try data.openSplits()
    let settings = settings(splits.training)
    if let state { try requireSame(settings, state.settings, resumed ?? "") }
    let allocator = rankAllocator(loaded)
    let optimizer = makeOptimizer(loaded.encoder, allocator)
    if let resumed { try restore(loaded, optimizer, from: resumed) }
    let task = ContrastiveTask(
      encoder: loaded.encoder, description: loaded.description, tokenizer: loaded.tokenizer,
      training: splits.training, validation: splits.validation, allocator: allocator)
    let trainer = try Trainer(
      task: task, optimizer: optimizer, pictures: data.pictures, config: trainerConfig(splits.training))

    // Everything that can be wrong beforehand has been checked; from here on files are written.
    let run = try RunFolder(resuming: resumed, logs: options.run.log_dir, name: options.run.experiment_name)
    defer { withExtendedLifetime(run) {} }
    let folder = run.path
    try log.open(folder: folder, resumingFrom: state?.step ?? 0)
    if resumed == nil { try FileSystem.write(Data(options.yaml.utf8), to: "\(folder)/resolved.yaml") }
    options.announce(log, loaded.description)
    log.say("\(resumed.map { "resuming from \($0)" } ?? "run folder: \(folder)")")
    for note in loaded.notes { log.warn(note) }
    log.say(summary(loaded.encoder, splits))
    try data.announce(splits, firstEpoch: trainer.firstEpoch, in: folder)
    warn(task, state, log, folder)
    Signals.watch()
    try fit(trainer, from: state?.step ?? 0, log, "\(folder)/checkpoints") { step in
      Checkpoint.Contents(
        model: loaded.encoder, description: loaded.description, optimizer: optimizer,
        tokenizerJSON: loaded.tokenizer.tokenizerJSON, state: RunState(step: step, settings: settings))
    }
    Signals.unwatch()
    if let test = splits.test { try testFinalWeights(loaded, test, data, log) }
    data.summarize()
    log.summarizeWarnings()
  }

  /// Takes weights and optimizer state from a checkpoint of the same model.
  private func restore(_ loaded: LoadedModel, _ optimizer: any Optimizer, from folder: String) throws {
    let stored = try ModelDescription.read(folder)
    guard jsonText(stored) == jsonText(loaded.description) else {
      throw TrainingError.badConfiguration(
        Problem(
          "--resume_ckpt \(folder)", found: "another model than the options and files describe now",
          expected: "the one in its model.json", hint: "Has a file behind an option been replaced?"))
    }
    try Checkpoint.load(folder, into: loaded.encoder)
    try Checkpoint.load(folder, into: optimizer)
  }

  /// What a user should know before the numbers come.
  private func warn(_ task: ContrastiveTask, _ state: RunState?, _ log: RunLog, _ folder: String) {
    if task.cutCaptionCount > 0 {
      log.warn("\(task.cutCaptionCount) training captions are longer than the model's columns and are cut.")
    }
    guard let state else { return }
    if let threads = state.settings["threads in use"], threads != "\(Runtime.threadCount)" {
      log.warn(
        "resumed with \(Runtime.threadCount) threads instead of \(threads): equal to rounding, not to the bit."
      )
    }
    let later = RetentionPolicy.setAside(after: state.step, in: "\(folder)/checkpoints")
    if later > 0 { log.warn("\(later) checkpoint(s) of later steps are set aside under another name.") }
  }

  private func fit(
    _ trainer: Trainer, from step: Int, _ log: RunLog, _ folder: String,
    contents: (Int) -> Checkpoint.Contents
  ) throws {
    let policy = RetentionPolicy(count: options.run.keep_checkpoints)
    try trainer.fit(from: step, log: log) { step in
      try Checkpoint.write(contents(step), into: folder)
      policy.apply(to: folder)
    }
    log.say("final checkpoint: \(folder)/\(Checkpoint.folderName(step: options.optimizer.max_steps))")
  }

  /// Settings that contradict each other.
  private func requireSense() throws(TrainingError) {
    let (warmup, steps) = (options.optimizer.warm_up, options.optimizer.max_steps)
    guard warmup < steps else {
      throw .badConfiguration(
        Problem("--warm_up", found: "\(warmup)", expected: "fewer than --max_steps \(steps)"))
    }
    guard options.data.entry.canTrainContrastively else {
      throw .badConfiguration(
        Problem(
          "--dataset \(options.data.entry.name)", found: "training on it", expected: "--eval",
          hint: "It has no captions to train with."))
    }
    if options.model.adapters.adalora_allocate {
      let config = AdaLoRAConfig()
      guard options.model.adapters.peft == "adalora" else {
        throw .badConfiguration(
          Problem("--adalora_allocate", found: "without --peft adalora", expected: "with it"))
      }
      guard steps > config.warmupSteps + config.finalSteps else {
        throw .badConfiguration(
          Problem(
            "--max_steps", found: "\(steps) with --adalora_allocate",
            expected: "more than tinit \(config.warmupSteps) and tfinal \(config.finalSteps) together"))
      }
    }
    guard ["caption", "random"].contains(options.model.ctx_init) else {
      throw .badConfiguration(
        Problem("--ctx_init", found: "'\(options.model.ctx_init)'", expected: "caption or random"))
    }
  }

  /// Published behavior: the final weights are tested after training.
  private func testFinalWeights(
    _ loaded: LoadedModel, _ test: ImageTextDataset, _ data: RunData, _ log: RunLog
  ) throws {
    let scores = try EvalRun(options: options).report(loaded, test, data, log).scores[0]
    var values: [String: Double] = [:]
    values["test_acc1"] = scores.accuracy.map { 100 * $0 }
    values["test_auc"] = scores.auc.map { 100 * $0 }
    try log.record(step: options.optimizer.max_steps, values)
  }

  /// AdaLoRA's schedule, if the run was asked to follow it.
  private func rankAllocator(_ loaded: LoadedModel) -> RankAllocator? {
    guard let config = loaded.description.adapter?.config as? AdaLoRAConfig, config.allocates else {
      return nil
    }
    return RankAllocator(loaded.encoder.text.model, config, totalSteps: options.optimizer.max_steps)
  }

  private func makeOptimizer(_ encoder: DualEncoder, _ allocator: RankAllocator?) -> any Optimizer {
    let settings = options.optimizer
    let parameters =
      settings.no_lrd
      ? ParameterGroups.single(encoder, weightDecay: settings.weight_decay)
      : ParameterGroups.published(
        encoder, weightDecay: settings.weight_decay, decaysLogitScale: options.isReference)
    let optimizer: any Optimizer =
      settings.sgd
      ? SGD(parameters, momentum: settings.momentum) : AdamW(parameters, beta1: settings.momentum)
    return allocator.map { RankAllocation(optimizer, $0) } ?? optimizer
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
      seed: run.seed, workerCount: options.workerCount, logEverySteps: run.log_every,
      checkpointEverySteps: run.checkpoint_every, keptCheckpoints: run.keep_checkpoints)
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
    let runs = "\(options.run.log_dir)/CLEFT"
    let isNewest = { RunFolder.isNamed($0, options.run.experiment_name) }
    guard let newest = FileSystem.list(runs).last(where: isNewest) else {
      throw .missing(
        Problem(
          "--resume_ckpt last", found: "no run named '\(options.run.experiment_name)' below \(runs)",
          hint: "Give --experiment_name or the run's folder."))
    }
    return try Checkpoint.locate("\(runs)/\(newest)")
  }

  private func summary(_ encoder: DualEncoder, _ splits: RunSplits) -> String {
    let training = splits.training
    let all = encoder.parameters
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
