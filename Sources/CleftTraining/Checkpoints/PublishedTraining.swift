import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// Where a run stands, as Lightning keeps it beside the weights: optimizer, schedule, loop and hyper-parameters.
///
/// The published program can go on from it: its optimizer numbers the trained parameters over all groups, the local heads
/// that it creates and never uses included.
/// - Source: PyTorch `Optimizer.state_dict`; Lightning 2.1 `Trainer.dump_checkpoint`.
public struct PublishedTraining {
  /// Entries of the file's top dictionary before the weights.
  public let values: [(String, TorchValue)]
  /// Tensors that the entries refer to.
  public let tensors: [(key: String, tensor: Tensor)]

  /// Collects what there is to say of a model.
  ///
  /// - Parameters:
  ///   - checkpoint: the folder that the model was read from; nil if it came from a file, whose state is not kept.
  ///   - step: optimizer steps done.
  /// - Throws: `FormatError` or `TrainingError` if the checkpoint's files cannot be read.
  public init(
    _ model: DualEncoder, _ description: ModelDescription, checkpoint: String?, step: Int
  ) throws {
    let state = try checkpoint.map { try RunState.read($0) }
    var settings = checkpoint.map(Self.options) ?? [:]
    for (name, text) in state?.settings ?? [:] where !name.contains(" ") { settings[name] = Self.value(text) }
    var hyperParameters = settings
    for (name, value) in PublishedState.hyperParameters(description) { hyperParameters[name] = value }
    if let folder = checkpoint, let data = try? FileSystem.read(folder + "/tokenizer.json") {
      hyperParameters["cleft_tokenizer"] = .string(String(decoding: data, as: UTF8.self))
    }
    var optimizer = OptimizerStates(model, description, settings, step: step)
    if let checkpoint { try optimizer.read(checkpoint) }
    tensors = optimizer.tensors
    let (epochs, batches) = (state?.progress.epochs ?? 0, settings["accumulate_grad_batches"]?.number ?? 1)
    values = [
      ("epoch", .int(epochs)), ("global_step", .int(step)), ("pytorch-lightning_version", .string("2.1.2")),
      ("loops", Self.loops(epochs: epochs, steps: step, batches: step * Int(batches))), ("callbacks", [:]),
      ("optimizer_states", .list(optimizer.value.map { [$0] } ?? [])),
      ("lr_schedulers", .list(optimizer.value == nil ? [] : optimizer.schedule.map { [$0] } ?? [])),
      ("hparams_name", "kwargs"),
      (
        "hyper_parameters",
        .dictionary(hyperParameters.sorted { $0.key < $1.key }.map { .init(.string($0.key), $0.value) })
      ),
    ]
  }

  /// The run's `resolved.yaml`, if the checkpoint still lies in its run.
  private static func options(_ checkpoint: String) -> [String: TorchValue] {
    let run = URL(fileURLWithPath: checkpoint).deletingLastPathComponent().deletingLastPathComponent().path
    guard let data = try? FileSystem.read(run + "/resolved.yaml") else { return [:] }
    var options: [String: TorchValue] = [:]
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
      guard let colon = line.range(of: ": ") else { continue }
      options[String(line[..<colon.lowerBound])] = value(String(line[colon.upperBound...]))
    }
    return options
  }

  /// An option's text as a value: truth, number, or text with its quotes taken off.
  static func value(_ text: String) -> TorchValue {
    if text == "true" || text == "false" { return .bool(text == "true") }
    if let number = Int(text) { return .int(number) }
    if let number = Double(text) { return .double(number) }
    guard text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return .string(text) }
    var plain = ""
    var isEscaped = false
    for character in text.dropFirst().dropLast() {
      if character == "\\", !isEscaped {
        isEscaped = true
        continue
      }
      plain.append(character)
      isEscaped = false
    }
    return .string(plain)
  }

  /// The counters of Lightning's training loop, at the start of an epoch.
  private static func loops(epochs: Int, steps: Int, batches: Int) -> TorchValue {
    func counters(_ names: [String], _ count: Int) -> TorchValue {
      .dictionary(names.map { .init(.string($0), .int(count)) })
    }
    func progress(_ names: [String], _ total: Int, current: Int) -> TorchValue {
      ["total": counters(names, total), "current": counters(names, current)]
    }
    let all = ["ready", "started", "processed", "completed"]
    let optimizer: TorchValue = [
      "step": progress(["ready", "completed"], steps, current: 0),
      "zero_grad": progress(["ready", "started", "completed"], steps, current: 0),
    ]
    let batch: TorchValue = [
      "total": counters(all, batches), "current": counters(all, 0), "is_last_batch": false,
    ]
    return [
      "fit_loop": [
        "state_dict": [:], "epoch_loop.state_dict": ["_batches_that_stepped": .int(steps)],
        "epoch_loop.batch_progress": batch,
        "epoch_loop.automatic_optimization.optim_progress": ["optimizer": optimizer],
        "epoch_progress": progress(all, epochs, current: epochs),
      ]
    ]
  }
}

extension TorchValue {
  /// The number, if it is one.
  var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }
}
