import CleftData
import CleftFormats
import CleftNN
import CleftTensor
import CleftTraining

/// What the options say about the loop, the optimizer and what must be equal in a resumed run.
extension TrainRun {
  /// Settings of the loop.
  ///
  /// - Throws: `TrainingError.badConfiguration` for an unknown schedule.
  func trainerConfig(_ training: ImageTextDataset) throws -> TrainerConfig {
    let (run, settings) = (options.run, options.optimizer)
    let schedule = try ScheduleCatalog.named(settings.schedule).make(
      peak: settings.learning_rate, floor: settings.min_lr, warmupSteps: settings.warm_up,
      cycleSteps: settings.max_steps)
    var config = TrainerConfig(
      batchSize: settings.batch_size, maxSteps: settings.max_steps, schedule: schedule, seed: run.seed)
    config.sampler = sampler(training)
    config.rankCount = options.rankCount
    config.accumulation = settings.accumulate_grad_batches
    config.negatives = SharedNegatives(
      acrossAccumulation: settings.loss.cached_negatives, acrossRanks: settings.loss.gather_features)
    config.maxGradientNorm = settings.max_grad_norm > 0 ? settings.max_grad_norm : nil
    config.workerCount = options.workerCount
    config.augments = !options.data.pictures.no_augmentation
    config.logEverySteps = run.log.log_every
    config.histogramEverySteps = run.log.no_tensorboard ? 0 : run.log.histogram_every
    config.validateEverySteps = run.log.val_every
    config.validatesAtEnd = !options.quirks.has(.staleValidation)
    config.checkpoints = CheckpointSchedule(
      everySteps: run.checkpoints.checkpoint_every, everyMinutes: run.checkpoints.checkpoint_minutes,
      everyEpochs: run.checkpoints.checkpoint_epochs)
    config.guards = run.guards.config
    (config.maxSteps, config.maxValidationBatches) = (options.stepLimit, options.validationBatchLimit)
    return config
  }

  /// Joins model and samples, and keeps what frozen towers make of them.
  func makeTask(_ parts: Parts, _ config: TrainerConfig) throws -> any TrainingTask {
    let task = try parts.plan.makeTask(parts.splits)
    let batches = Double(config.maxSteps) * Double(config.rankCount * config.accumulation)
    task.keepFeatures(
      FeatureKeeping(
        limitBytes: options.model.no_feature_cache ? 0 : FeatureKeeping.quarterOfMemory,
        augments: config.augments, drawCount: batches * Double(config.batchSize)))
    return task
  }

  /// In which order samples come up; the published one differs from ours where there are ranks.
  private func sampler(_ training: ImageTextDataset) -> Sampler {
    if options.data.balance_training { return .balanced(training.samples) }
    return options.quirks.has(.torchOrder) && options.rankCount > 1
      ? .published(seed: options.run.seed) : .shuffled
  }

  /// The optimizer of a plan's model.
  func makeOptimizer(_ plan: any TaskPlan) throws -> any Optimizer {
    let settings = options.optimizer
    let groups =
      settings.no_lrd
      ? ParameterGroups.single(plan.model, weightDecay: settings.weight_decay)
      : try ParameterGroups.layerwise(
        plan.model, weightDecay: settings.weight_decay,
        decaysLogitScale: options.quirks.has(.decayedLogitScale), layerDecay: settings.layer_decay)
    let name = settings.adafactor ? "adafactor" : settings.sgd ? "sgd" : "adamw"
    return plan.wrapped(
      try OptimizerCatalog.named(name).make(
        groups,
        OptimizerSettings(
          momentum: settings.momentum,
          isHalfStored: options.run.precision == "bf16-true" && options.quirks.has(.bf16Stagnation),
          maxLogitScale: settings.loss.max_logit_scale)))
  }

  /// Which checkpoints stay.
  var retention: RetentionPolicy {
    let settings = options.run.checkpoints
    return RetentionPolicy(
      newest: settings.keep_checkpoints, best: settings.keep_best, monitor: settings.monitor,
      isLargerBetter: settings.isLargerBetter, judgesByEarlier: options.quirks.has(.staleValidation))
  }

  /// What must be equal for a resumed run to equal one that was not cut.
  func settings(_ training: ImageTextDataset) -> [String: String] {
    var settings = Dictionary(
      uniqueKeysWithValues: options.resolved.filter { !Self.freeOptions.contains($0.name) }.map {
        ($0.name, $0.value)
      })
    settings[Self.threadSetting] = "\(Runtime.threadCount)"
    // The data folder may move; what lies below it may not change.
    let folder = options.data.folder + "/"
    let loss = options.optimizer.loss
    let hasLabels = options.data.balance_training || loss.img_cls_ft || loss.class_wise
    settings["training samples"] = Checksum.of(
      training.samples.map { sample in
        let path = sample.imagePath
        let name = path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : path
        return "\(name) \(sample.caption ?? "")\(hasLabels ? " \(sample.labels)" : "")"
      }.joined(separator: "\n"))
    return settings
  }

  /// Options that change no number of the training but for rounding, and so may differ in the process that goes on.
  private static let freeOptions: Set<String> = [
    "resume_ckpt", "log_dir", "experiment_name", "threads", "num_workers", "image_cache", "checkpoint_every",
    "checkpoint_minutes", "checkpoint_epochs", "keep_checkpoints", "keep_best", "monitor", "monitor_mode",
    "whole_checkpoints", "test_best", "log_every", "val_every", "no_tensorboard", "histogram_every", "trace",
    "trace_steps", "json", "picture", "print_config", "accelerator", "data_dir", "prepared",
    "skip_picture_check", "preview", "on_bad_row", "valid_csv", "test_csv", "valid_split", "max_time",
    "on_nan", "on_spike", "spike_z", "detect_anomaly", "model_dir", "dry_run", "dev", "no_feature_cache",
  ]

  /// What depends on the machine, not on options: a resumed run that differs in it is equal to rounding.
  static let (threadSetting, keepingSetting) = ("threads in use", "features kept")
  private static let roundingSettings: Set<String> = [threadSetting, keepingSetting]
  /// What `keepingSetting` is where nothing is kept, and where a checkpoint does not say.
  static let keepsNothing = "none"

  /// Fails if a checkpoint was written under other settings.
  ///
  /// A flag that the program did not have yet when it was written, and that is not given now, is as it was.
  func requireSame(_ new: [String: String], _ old: [String: String], _ path: String) throws {
    let free = Self.freeOptions.union(Self.roundingSettings)
    for name in Set(new.keys).union(old.keys).subtracting(free).sorted()
    where new[name] != old[name] && !(old[name] == nil && new[name] == "false") {
      throw TrainingError.badConfiguration(
        Problem(
          "--resume_ckpt \(path)", found: "\(name) \(new[name] ?? "not set")",
          expected: "\(old[name] ?? "not set") as when it was written",
          hint: "Resume with the same options, or start anew with --pretrained_model."))
    }
  }
}
