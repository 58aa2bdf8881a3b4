import CleftData
import CleftFormats
import CleftModels
import CleftTensor
import CleftTraining
import Foundation

/// All options of training and evaluation.
struct TrainOptions {
  var model: ModelOptions
  var data: DataOptions
  var optimizer: OptimizerOptions
  var run: RunOptions

  /// Names and values, in the order of `--help`.
  var resolved: [(name: String, value: String)] { resolvedOptions([model, data, optimizer, run]) }

  /// The options as a file for `--config`.
  var yaml: String { resolved.map { "\($0.name): \($0.value)\n" }.joined() }

  /// Whether published behavior is wanted where it is a defect.
  var isReference: Bool { run.compat == .reference }

  /// Says once what flags mean on this machine, and where the model departs from the published program.
  func announce(_ log: RunLog, _ modelDepartures: [String], isPromptTuning: Bool) {
    if let notice = Processor.setAsideNotice { log.say(notice) }
    if !["cpu", "auto"].contains(run.accelerator) {
      log.say("--accelerator \(run.accelerator): running on the CPU.")
    }
    if run.productType == .bfloat16 {
      if run.precision.hasPrefix("16") {
        log.warn("--precision \(run.precision): bf16-mixed, as on any CPU.")
      }
      log.say(
        "--precision \(run.precision): large products in bfloat16, sums and everything else in float32.")
      if !Runtime.hasHalfProducts {
        log.warn("this processor has no bfloat16 products: factors are rounded, products run in float32.")
      }
    }
    if run.devices > 1, !run.eval {
      log.say(
        "--devices \(run.devices): \(run.devices) ranks one after another in this process, "
          + "--strategy \(run.strategy).")
    }

    let undone = DatasetCatalog.undone
    var departures = modelDepartures

    if !run.eval, !isReference { departures.append("the temperature is not weight-decayed" + undone) }
    if !run.eval, model.grad_ckpt { departures.append("recomputation does not detach the adapters") }
    departures += data.entry.departures(
      data.request(run.eval ? .test : .train, isPromptTuning: isPromptTuning, isReference: isReference))
    if departures.isEmpty { return }
    log.say("departures from the published program:")
    for departure in departures { log.say("  \(departure)") }
  }

  /// Decoding threads in use.
  var workerCount: Int { min(data.pictures.num_workers, Runtime.availableThreads) }
}
