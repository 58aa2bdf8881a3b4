import CleftTensor
import CleftTraining

/// What flags mean on this machine, and which of them mean nothing in this run.
extension TrainOptions {
  /// Says each of it once.
  func announceMachine(_ log: RunLog) {
    if let notice = Processor.setAsideNotice { log.say(notice) }
    if !["cpu", "auto"].contains(run.accelerator), !run.eval {
      log.say("--accelerator \(run.accelerator): running on the CPU.")
    }
    announcePrecision(log)
    if run.strategy == "auto", run.devices > 1, !run.eval {
      log.say("--strategy auto: one rank, as published; name ddp for --devices \(run.devices) ranks.")
    } else if run.devices > 1, !run.eval {
      log.say(
        "--devices \(run.devices): \(run.devices) ranks one after another in this process, "
          + "--strategy \(run.strategy).")
    }
    if Strategy.shards(run.strategy), !run.eval {
      log.say("--strategy \(run.strategy): the same numbers as ddp; nothing needs to be sharded here.")
    }
    for notice in run.dead.notices + idleOptions { log.warn(notice) }
    if let rateWarning { log.warn(rateWarning) }
  }

  private func announcePrecision(_ log: RunLog) {
    guard run.productType == .bfloat16 else { return }
    if run.precision.hasPrefix("16") {
      log.warn("--precision \(run.precision): bf16-mixed, as on any CPU.")
    }
    let kept = run.precision == "bf16-true" ? "large products and what backward keeps" : "large products"
    log.say("--precision \(run.precision): \(kept) in bfloat16, sums and everything else in float32.")
    if !Runtime.hasHalfProducts {
      log.warn("this processor has no bfloat16 products: factors are rounded, products run in float32.")
    }
  }

  /// Takes back what `--eval` of the published program takes back, too: an evaluation sees all test rows, on one device,
  /// in batches of 32.
  ///
  /// - Returns: what is meant, and the options given that count for nothing, without the dashes.
  func forEvaluation() -> (options: TrainOptions, unheeded: [String]) {
    var plain = self
    plain.data.data_pct = 1
    plain.data.train_sub_set = false
    plain.optimizer.batch_size = EvalRun.batchSize
    plain.optimizer.accumulate_grad_batches = 1
    plain.model.grad_ckpt = false
    plain.run.dev = false
    plain.run.devices = 1
    plain.run.strategy = "auto"
    plain.run.eval = true
    plain.run.checkpoints.resume_ckpt = nil
    let given: [(name: String, isGiven: Bool)] = [
      ("data_pct", data.data_pct != 1), ("train_sub_set", data.train_sub_set),
      ("batch_size", ![72, EvalRun.batchSize].contains(optimizer.batch_size)),
      ("accumulate_grad_batches", optimizer.accumulate_grad_batches != 1),
      ("grad_ckpt", model.grad_ckpt), ("dev", run.dev), ("devices", ![1, 4].contains(run.devices)),
      ("strategy", !["auto", "ddp"].contains(run.strategy)),
      ("resume_ckpt", run.checkpoints.resume_ckpt != nil),
    ]
    return (plain, given.filter(\.isGiven).map(\.name))
  }

  /// Says which options an evaluation does not heed, if any were given.
  static func announceUnheeded(_ names: [String], _ log: RunLog) {
    if names.isEmpty { return }
    log.say(
      "evaluation, as published: all test rows, batches of \(EvalRun.batchSize) on one device; not heeded: "
        + names.map { "--\($0)" }.joined(separator: ", ") + ".")
  }
}

/// What `--dev`, `--dry_run` and `--strategy` make of a run.
extension TrainOptions {
  /// Data-parallel ranks: as published, `--strategy auto` means one.
  var rankCount: Int { run.strategy == "auto" ? 1 : run.devices }

  /// Optimizer steps at most: one under `--dev`; the length of the schedule stays `--max_steps`.
  var stepLimit: Int { run.dev ? 1 : optimizer.max_steps }

  /// Batches of a validation at most; nil for all.
  var validationBatchLimit: Int? { run.dev ? 1 : nil }

  /// Pictures that are tested at most; nil for all.
  var testPictureLimit: Int? { run.dev ? optimizer.batch_size : nil }

  /// Whether a run folder is made, with numbers and checkpoints in it.
  var writesRunFolder: Bool { !run.dev && !run.dry_run }
}
