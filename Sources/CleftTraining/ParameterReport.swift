import CleftModels
import CleftNN
import CleftTensor

/// How many parameters a model has, part by part, without any of them being made.
public struct ParameterReport: Codable, Sendable, Equatable {
  /// One part of the model.
  public struct Part: Codable, Sendable, Equatable {
    /// What it is.
    public let name: String
    /// All parameters.
    public let total: Int
    /// Those marked as trained.
    public let trainable: Int
    /// Those marked as trained that a gradient can reach.
    public let live: Int
  }

  /// The parts, image side first.
  public let parts: [Part]
  /// All parameters, with the published program's unused local heads.
  public var total: Int { parts.reduce(0) { $0 + $1.total } }
  /// Those marked as trained.
  public var trainable: Int { parts.reduce(0) { $0 + $1.trainable } }
  /// Those marked as trained that a gradient can reach.
  public var live: Int { parts.reduce(0) { $0 + $1.live } }

  /// Counts a model as it stands: adapted and frozen.
  ///
  /// - Parameters:
  ///   - isImageHeadTrained: whether the published program trains the image side's unused local head.
  ///   - isTextHeadTrained: the same of the text side's.
  public init(_ model: DualEncoder, isImageHeadTrained: Bool, isTextHeadTrained: Bool) {
    let idle = Set(
      model.image.model.idleKeys(pooling: model.config.pooling).map { KeyMap.imagePrefix + $0 })
    let parameters = model.parameters
    func part(_ name: String, where isPart: (String) -> Bool) -> Part {
      let cells = parameters.filter { isPart($0.path) }
      let trained = cells.filter(\.cell.isTrainable)
      func count(_ cells: [NamedCell]) -> Int { cells.reduce(0) { $0 + $1.cell.shape.count } }
      return Part(
        name: name, total: count(cells), trainable: count(trained),
        live: count(trained.filter { !idle.contains($0.path) }))
    }
    func localHead(_ name: String, _ width: Int, _ isTrained: Bool, isPresent: Bool = true) -> Part {
      let (inner, out) = (2048, model.config.embeddingSize)
      let count = !isPresent ? 0 : (width + 1) * inner + 2 * inner + (inner + 1) * out
      return Part(name: name, total: count, trainable: isTrained ? count : 0, live: 0)
    }
    func isVector(_ path: String) -> Bool {
      path.contains("prompt_encoder.") || path.contains("prefix_encoder.")
    }
    func isAdapter(_ path: String) -> Bool {
      path.contains("lora_") || path.contains("ia3_") || isVector(path)
    }
    let (image, text) = (KeyMap.imagePrefix, KeyMap.textPrefix)
    let all = [
      part("image tower") { $0.hasPrefix(image) && !isAdapter($0) },
      part("image adapter") { $0.hasPrefix(image) && isAdapter($0) },
      part("image head") { $0.hasPrefix("img_encoder_q.global_embed.") },
      localHead(
        "image local head (unused, as published)", model.image.model.hiddenSize, isImageHeadTrained,
        isPresent: model.config.vision.hasLocalHead),
      part("text tower") { $0.hasPrefix(text) && !isAdapter($0) },
      part("text adapter") { $0.hasPrefix(text) && isAdapter($0) && !isVector($0) },
      part("prefix or prompt vectors") { $0.hasPrefix(text) && isVector($0) },
      part("text head") { $0.hasPrefix("text_encoder_q.global_embed.") },
      localHead("text local head (unused, as published)", model.text.model.hiddenSize, isTextHeadTrained),
      part("logit_scale") { $0 == "logit_scale" }, part("logit_bias") { $0 == "logit_bias" },
    ]
    parts = all.filter { $0.total > 0 }
  }
}
