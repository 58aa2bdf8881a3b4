import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// An optimizer's state under the numbers that PyTorch gives parameters, and the schedule of its rate.
struct OptimizerStates {
  /// The optimizer's `state_dict`; nil without a checkpoint that has one.
  private(set) var value: TorchValue?
  /// Tensors that `value` refers to.
  private(set) var tensors: [(key: String, tensor: Tensor)] = []
  private let model: DualEncoder
  private let description: ModelDescription
  private let settings: [String: TorchValue]
  private let step: Int

  init(
    _ model: DualEncoder, _ description: ModelDescription, _ settings: [String: TorchValue], step: Int
  ) {
    self.model = model
    self.description = description
    self.settings = settings
    self.step = step
  }

  /// Reads a checkpoint's `optimizer.json` and `optimizer.safetensors`.
  mutating func read(_ checkpoint: String) throws {
    let path = checkpoint + "/optimizer.json"
    guard FileSystem.exists(path) else { return }
    guard let layout = try? JSONDecoder().decode(OptimizerLayout.self, from: FileSystem.read(path)) else {
      throw TrainingError.badData(Problem(path, found: "not an optimizer's groups"))
    }
    let file = try SafeTensorsFile(checkpoint + "/optimizer.safetensors")
    let factors = PublishedState.scaleFactors(model, description)
    var (states, groups): ([TorchValue.Entry], [TorchValue]) = ([], [])
    var number = 0
    for group in layout.groups {
      let members = published(group)
      let first = number
      for path in members {
        if let path, let state = try entry(path, file, layout.name, factor: factors[path] ?? 1, number) {
          states.append(.init(.int(number), state))
        }
        number += 1
      }
      groups.append(settings(of: group, layout.name, Array(first..<number)))
    }
    value = ["state": .dictionary(states), "param_groups": .list(groups)]
  }

  // MARK: - Parameters

  private static let fields = [
    "step", "exp_avg", "exp_avg_sq", "exp_avg_sq_row", "exp_avg_sq_col", "momentum_buffer",
  ]

  /// What is known of one parameter; nil if it has never moved.
  ///
  /// - Parameter factor: what the published file's values are multiplied by; gradients are divided by it.
  private mutating func entry(
    _ path: String, _ file: SafeTensorsFile, _ optimizer: String, factor: Float, _ number: Int
  ) throws -> TorchValue? {
    var entries: [TorchValue.Entry] = []
    for field in Self.fields where file.entries["\(field).\(path)"] != nil {
      let tensor = try file.tensor("\(field).\(path)")
      if field == "step", optimizer == "Adafactor" {
        entries.append(.init(.string(field), .int(Int(tensor.item))))
        continue
      }
      let power: Float =
        field == "step" ? 1 : field.hasPrefix("exp_avg_sq") ? 1 / (factor * factor) : 1 / factor
      let name = "\(field).\(number)"
      tensors.append((name, power == 1 ? tensor : withoutGradients { tensor * power }))
      entries.append(.init(.string(field), .reference(name)))
    }
    return entries.isEmpty ? nil : .dictionary(entries)
  }

  /// A group's parameters in the published program: ours, and nil for each one that only it has.
  private func published(_ group: OptimizerLayout.Group) -> [String?] {
    // Without groups the published program hands over every parameter, frozen ones too.
    if group.name == "all" {
      let own = Dictionary(
        model.parameters.map { (PublishedState.outer($0.path, description), $0.path) },
        uniquingKeysWith: { first, _ in first })
      let buffers = ["running_mean", "running_var", "num_batches_tracked", "word_embeddings.weight"]
      return PublishedState.tensors(model, description).map(\.key).filter { key in
        own[key] != nil || !buffers.contains(where: key.hasSuffix)
      }.map { own[$0] }
    }
    var members: [String?] = group.parameters
    let isLast = group.parameters.contains { $0.contains("_encoder_q.global_embed.") }
    guard isLast else { return members }
    // Convolutions have three axes and decay; their biases and the norm do not: two and four.
    let count = group.name.hasSuffix("no_decay") ? 4 : 2
    if model.config.vision.hasLocalHead, let place = lastPlace(of: "img_encoder_q.", in: group) {
      members.insert(contentsOf: [String?](repeating: nil, count: count), at: place)
    }
    if group.parameters.contains(where: { $0.hasPrefix("text_encoder_q.global_embed.") }) {
      members += [String?](repeating: nil, count: count)
    }
    return members
  }

  /// The place behind an encoder's last parameter, if its head is trained.
  private func lastPlace(of prefix: String, in group: OptimizerLayout.Group) -> Int? {
    guard group.parameters.contains(where: { $0.hasPrefix(prefix + "global_embed.") }) else { return nil }
    return group.parameters.lastIndex { $0.hasPrefix(prefix) }.map { $0 + 1 }
  }

  // MARK: - Settings

  private var course: CosineWarmup? {
    guard let peak = settings["learning_rate"]?.number, let floor = settings["min_lr"]?.number,
      let warmup = settings["warm_up"]?.number, let steps = settings["max_steps"]?.number, steps > warmup
    else { return nil }
    if let schedule = settings["schedule"], schedule != "cosine" { return nil }
    return CosineWarmup(peak: peak, floor: floor, warmupSteps: Int(warmup), cycleSteps: Int(steps))
  }

  private func settings(
    of group: OptimizerLayout.Group, _ optimizer: String, _ numbers: [Int]
  ) -> TorchValue {
    let peak = settings["learning_rate"] ?? .double(0)
    let momentum = settings["momentum"] ?? .double(0.9)
    var entries: [(String, TorchValue)] = group.name == "all" ? [] : [("lr_scale", .double(2e-5))]
    entries += [
      ("weight_decay", .double(group.weightDecay)),
      ("lr", course.map { .double($0.rate(at: step) * group.rateScale) } ?? peak),
    ]
    switch optimizer {
    case "SGD":
      entries += [
        ("momentum", momentum), ("dampening", .int(0)), ("nesterov", false), ("maximize", false),
        ("foreach", .none), ("differentiable", false),
      ]
    case "Adafactor":
      entries += [
        ("eps", [.double(1e-30), .double(1e-3)]), ("clip_threshold", .double(1)),
        ("decay_rate", .double(-0.8)), ("beta1", momentum), ("scale_parameter", false),
        ("relative_step", false), ("warmup_init", false),
      ]
    default:
      entries += [
        ("betas", [momentum, .double(0.999)]), ("eps", .double(1e-8)), ("amsgrad", false),
        ("foreach", .none), ("maximize", false), ("capturable", false), ("differentiable", false),
        ("fused", .none),
      ]
    }
    entries += [("initial_lr", peak), ("params", .list(numbers.map(TorchValue.int)))]
    return .dictionary(entries.map { .init(.string($0.0), $0.1) })
  }

  /// The published schedule's `state_dict`; nil for a course that it does not know.
  var schedule: TorchValue? {
    guard let course, case .list(let groups)? = value?["param_groups"] else { return nil }
    let cycle = step / course.cycleSteps
    return [
      "first_cycle_steps": .int(course.cycleSteps), "cycle_mult": .double(1),
      "base_max_lr": .double(course.peak), "max_lr": .double(course.peak), "min_lr": .double(course.floor),
      "warmup_steps": .int(course.warmupSteps), "gamma": .double(1),
      "cur_cycle_steps": .int(course.cycleSteps), "cycle": .int(cycle),
      "step_in_cycle": .int(step - cycle * course.cycleSteps),
      "base_lrs": .list(groups.map { _ in .double(course.floor) }), "last_epoch": .int(step),
      "verbose": false, "_step_count": .int(0),
    ]
  }
}
