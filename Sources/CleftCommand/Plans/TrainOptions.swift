import CleftData
import CleftFormats
import CleftImaging
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
  /// The published program's quirks in force, those that options switch included.
  private(set) var quirks: Quirks

  /// Joins the groups of a command.
  ///
  /// A quirk that an option can switch off too is as if the option had been given, so that nothing else has to know it.
  init(model: ModelOptions, data: DataOptions, optimizer: OptimizerOptions, run: RunOptions) {
    (self.model, self.data, self.optimizer, self.run) = (model, data, optimizer, run)
    quirks = run.quirks
    func isOff(_ quirk: Quirk) -> Bool { run.quirks.choice(quirk) == false }
    if isOff(.rankNegatives) { self.optimizer.loss.gather_features = true }
    if isOff(.duplicateNegatives) { self.optimizer.loss.multi_positive = true }
    if isOff(.freshLogitScale) { self.model.inherit_logit_scale = true }
    if isOff(.staticAdaLoRA) { self.model.adapters.adalora_allocate = true }
    if isOff(.lastWeights) { self.run.checkpoints.test_best = true }
    if isOff(.anomalyStop) { self.run.guards.on_nan = .skip }
    if isOff(.noNegatives), data.entry.heeds.contains("negative_prompt") {
      self.data.captions.negative_prompt = true
    }
    for (quirk, option) in optionQuirks where option != nil { quirks = quirks.with(quirk, false) }
  }

  /// Names and values, in the order of `--help`.
  var resolved: [(name: String, value: String)] { resolvedOptions([model, data, optimizer, run]) }

  /// The options as a file for `--config`.
  var yaml: String { resolved.map { "\($0.name): \($0.value)\n" }.joined() }

  /// Says once what flags mean on this machine, and where the model departs from the published program.
  func announce(_ log: RunLog, _ modelDepartures: [String], isPromptTuning: Bool) {
    announceMachine(log)
    let departures = modelDepartures + departures(isPromptTuning: isPromptTuning)
    if !departures.isEmpty {
      log.say("departures from the published program:")
      for departure in departures { log.say("  \(departure)") }
    }
    for quirk in idleChoices(isPromptTuning: isPromptTuning) {
      log.say("--quirk \(quirk.rawValue): makes no difference to this run.")
    }
  }

  /// From a decoded picture to what the model sees.
  func pipeline(sizePixels: Int) -> ImagePipeline {
    ImagePipeline(
      sizePixels: sizePixels, resizesStraight: quirks.has(.resize224), truncatesSides: quirks.has(.lostColumn)
    )
  }

  /// Decoding threads in use.
  var workerCount: Int { min(data.pictures.num_workers, Runtime.availableThreads) }
}
