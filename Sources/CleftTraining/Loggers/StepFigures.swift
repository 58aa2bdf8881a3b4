/// What a training step gave and how fast the run goes: one line for people, and numbers under their published names.
public struct StepFigures: Sendable, Equatable {
  /// Steps done, and steps in all.
  public var step, stepCount: Int
  /// The epoch that the step was of, from 0.
  public var epoch: Int
  /// Loss, accuracy and the like, without the `train_` in front.
  public var metrics: [String: Double]
  /// Name of the optimizer.
  public var optimizer: String
  /// The rate of each parameter group.
  public var learningRates: [Double]

  /// Training pictures a second.
  public var imagesPerSecond: Double?
  /// Tokens of captions a second; nil or 0 for a task without text.
  public var tokensPerSecond: Double?
  /// Mean seconds a step.
  public var stepSeconds: Double?
  /// Share of the time in matrix products and convolutions.
  public var productFraction: Double?
  /// Share of the time in attention.
  public var attentionFraction: Double?
  /// Share of the time spent waiting for pictures.
  public var waitFraction: Double?
  /// Memory of the process in bytes.
  public var residentBytes: Int?
  /// Blocks taken from the system for tensors since the start; grows no more once a run is under way.
  public var tensorBlocks: Int?
  /// Seconds to the last step.
  public var secondsLeft: Double?

  /// Starts with what a step gave; everything about speed is set on the value, and left out where it is nil.
  public init(
    step: Int, of stepCount: Int, epoch: Int, metrics: [String: Double], optimizer: String,
    learningRates: [Double]
  ) {
    (self.step, self.stepCount, self.epoch, self.metrics) = (step, stepCount, epoch, metrics)
    (self.optimizer, self.learningRates) = (optimizer, learningRates)
  }

  /// Numbers by their names in `metrics.jsonl`.
  ///
  /// Rates are `lr-AdamW`, or `lr-AdamW/pg1`, `lr-AdamW/pg2` … where there are several parameter groups.
  public var scalars: [String: Double] {
    var values = Dictionary(uniqueKeysWithValues: metrics.map { ("train_\($0.key)", $0.value) })
    values["epoch"] = Double(epoch)
    for (group, rate) in learningRates.enumerated() {
      values["lr-\(optimizer)" + (learningRates.count == 1 ? "" : "/pg\(group + 1)")] = rate
    }
    values.merge(system.compactMapValues { $0 }) { $1 }
    return values
  }

  private var system: [String: Double?] {
    [
      "images_per_s": imagesPerSecond, "tokens_per_s": tokensPerSecond, "seconds_per_step": stepSeconds,
      "gemm_fraction": productFraction, "attention_fraction": attentionFraction,
      "data_wait_fraction": waitFraction, "resident_mib": residentBytes.map { Double($0 >> 20) },
      "tensor_blocks": tensorBlocks.map(Double.init),
    ]
  }

  /// Names of the numbers about the process, not about what it learns.
  static let systemNames: Set<String> = [
    "images_per_s", "tokens_per_s", "seconds_per_step", "gemm_fraction", "attention_fraction",
    "data_wait_fraction", "resident_mib", "tensor_blocks",
  ]
}

extension StepFigures {
  /// One part of the line.
  private struct Part {
    let text: String
    /// Parts of a higher rank go first where the line is too long; rank 0 stays.
    let rank: Int
    /// Parts of one group stand closer together.
    let group: Int
  }

  /// The line for people, for example
  /// `step 120/40000  loss 2.103  lr 1.2e-5  38.2 img/s 1.2k tok/s  gemm 78% wait 1% 6.0 GiB  2h05m left`.
  ///
  /// What has no room within `columns` is left out: memory first, then tokens, products, waiting, the rate, pictures.
  public func line(columns: Int = 100) -> String {
    var parts = parts
    while true {
      var text = ""
      for (index, part) in parts.enumerated() {
        if index > 0 { text += parts[index - 1].group == part.group ? " " : "  " }
        text += part.text
      }
      guard text.count > columns, let least = parts.indices.max(by: { parts[$0].rank < parts[$1].rank }),
        parts[least].rank > 0
      else { return text }
      parts.remove(at: least)
    }
  }

  private var parts: [Part] {
    var parts: [Part] = []
    func add(_ text: String?, rank: Int, group: Int) {
      if let text { parts.append(Part(text: text, rank: rank, group: group)) }
    }
    add("step \(step)/\(stepCount)", rank: 0, group: 0)
    add("loss \(Figure.digits(metrics["loss"] ?? .nan))", rank: 0, group: 1)
    add(learningRates.max().map { "lr \(Figure.scientific($0))" }, rank: 3, group: 2)
    add(imagesPerSecond.map { "\(Figure.compact($0)) img/s" }, rank: 2, group: 3)
    let tokens = tokensPerSecond.flatMap { $0 > 0 ? $0 : nil }
    add(tokens.map { "\(Figure.compact($0)) tok/s" }, rank: 6, group: 3)
    add(productFraction.map { "gemm \(Figure.percent($0))" }, rank: 5, group: 4)
    add(waitFraction.map { "wait \(Figure.percent($0))" }, rank: 4, group: 4)
    add(residentBytes.map(Figure.gibibytes), rank: 7, group: 4)
    add(secondsLeft.map { "\(Figure.duration($0)) left" }, rank: 1, group: 5)
    return parts
  }
}
