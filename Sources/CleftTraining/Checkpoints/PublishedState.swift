import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor

/// A model under the names of the published program's checkpoints, so that it can load what was trained here.
///
/// PEFT 0.6's names (no `base_layer`), its alias of the token table, and the local heads that the program creates but
/// never uses; those get start values. The sigmoid loss's shift of the scores, which the program does not know and no
/// ranking of scores depends on, is left out.
public enum PublishedState {
  /// Tensors in the published order.
  public static func tensors(
    _ model: DualEncoder, _ description: ModelDescription
  ) -> [(key: String, tensor: Tensor)] {
    let cells = model.cells()
    let factors = scaleFactors(model, description)
    func values(_ named: NamedCell) -> Tensor {
      let tensor = named.cell.peek()
      return factors[named.path].map { factor in withoutGradients { tensor * factor } } ?? tensor
    }
    func part(_ prefix: String) -> [(key: String, tensor: Tensor)] {
      cells.filter { $0.path.hasPrefix(prefix) }.map { (outer($0.path, description), values($0)) }
    }
    return part("logit_scale")
      + part(KeyMap.imagePrefix) + part("img_encoder_q.global_embed.")
      + (model.config.vision.hasLocalHead
        ? localHead("img_encoder_q", model.image.model.hiddenSize, model.config.embeddingSize) : [])
      + part(KeyMap.textPrefix) + alias(model, description) + part("text_encoder_q.global_embed.")
      + localHead("text_encoder_q", model.text.model.hiddenSize, model.config.embeddingSize)
  }

  /// What the published program keeps of the model beside its weights.
  static func hyperParameters(_ description: ModelDescription) -> [(String, TorchValue)] {
    let config = description.encoder
    let peft: TorchValue = description.adapter.map { .string(publishedName($0.method)) } ?? .none
    let image = imageName(config.vision)
    let kind = ModelCatalog.textTowers.values.first { type(of: $0.config) == type(of: config.text) }?.llmType
    return [
      ("cleft_model", .string(storedDescription(description))),
      ("emb_dim", .int(config.embeddingSize)), ("linear_proj", .bool(config.head == .linear)),
      ("pool_feat", .bool(config.pooling == .mean)), ("peft", peft),
      ("prompt_ft", .bool(description.prompt != nil)),
      ("ctx_length", .int(description.prompt?.virtualTokenCount ?? 30)), ("llm_type", .string(kind ?? "gpt")),
      ("img_encoder", .string(image?.name ?? "dinov2_vitb14_reg")),
      ("baseline_vit", .bool(image?.isBaseline ?? false)),
      ("softmax_temperature", .double(Double(config.temperature))),
      ("cleft_all_positions_zero", .bool((config.text as? BertConfig)?.readsAllAtPositionZero ?? false)),
      ("deterministic", .bool(kind == "bert")), ("lamb", 0.75), ("epsilon", 0.05),
    ]
  }

  /// The model's description for a file of these values, whose corrections have the published alphas.
  public static func storedDescription(_ description: ModelDescription) -> String {
    var description = description
    description.encoder.hasLogitBias = false
    switch description.adapter?.config {
    case var config as LoRAConfig:
      (config.alpha, config.alphaPattern) = (32, [:])
      (config.usesRankStabilization, config.start) = (false, .kaiming)
      description.adapter?.config = config
    case var config as AdaLoRAConfig:
      config.alpha = 8
      description.adapter?.config = config
    default: break
    }
    if description.adapter?.method == "pissa" { description.adapter?.method = "lora" }
    return jsonText(description)
  }

  /// The published key of a parameter.
  static func outer(_ path: String, _ description: ModelDescription) -> String {
    guard path.hasPrefix(KeyMap.textPrefix) else { return path.replacing(".base_layer.", with: ".") }
    let rest = path.dropFirst(KeyMap.textPrefix.count)
    let isPrefix = description.adapter?.config is PrefixTuningConfig
    if rest.hasPrefix("prompt_encoder.") { return path }
    if rest.hasPrefix("prefix_encoder.") {
      let inner = "prompt_encoder." + rest.dropFirst("prefix_encoder.".count)
      return KeyMap.textPrefix + (description.prompt == nil ? "" : "base_model.") + inner
    }
    // Methods that change layers wrap the model twice, those that stand in front of it once.
    var wrappers = ""
    if description.prompt != nil { wrappers += "base_model." }
    if isPrefix { wrappers += "base_model." }
    if description.adapter != nil, !isPrefix { wrappers += "base_model.model." }
    return KeyMap.textPrefix + wrappers + rest.replacing(".base_layer.", with: ".")
  }

  /// The published program knows one alpha for each method: what differs from it goes into `lora_B`.
  static func scaleFactors(_ model: DualEncoder, _ description: ModelDescription) -> [String: Float] {
    var factors: [String: Float] = [:]
    for (path, layer) in adaptedLayers(in: model.text.model) {
      for branch in layer.branches {
        guard let factor = branch.scaleOverPublished, factor != 1 else { continue }
        for named in branch.cells() where named.path.hasPrefix("lora_B.") {
          factors["\(KeyMap.textPrefix)\(path).\(named.path)"] = factor
        }
      }
    }
    return factors
  }

  private static func alias(
    _ model: DualEncoder, _ description: ModelDescription
  ) -> [(key: String, tensor: Tensor)] {
    let tower = model.text.model
    guard tower.virtualTokens != nil || tower.prefix != nil else { return [] }
    let table = tower.tokenTable.detached
    // Vectors in front of a prefix are a second wrapper, with an alias of its own.
    let inner = tower.virtualTokens != nil && tower.prefix != nil ? ["base_model."] : []
    return ([""] + inner).map { ("\(KeyMap.textPrefix)\($0)word_embeddings.weight", table) }
  }

  /// `--peft` of the published program; variants of LoRA are LoRA there.
  private static func publishedName(_ method: String) -> String {
    ["dora", "pissa"].contains(method) ? "lora" : method
  }

  /// The published name of an image tower, and whether it is a baseline's.
  private static func imageName(_ config: any ImageTowerConfig) -> (name: String, isBaseline: Bool)? {
    let own = jsonText(ImageTowerFile(config))
    for (towers, isBaseline) in [(ModelCatalog.imageTowers, false), (ModelCatalog.baselineTowers, true)] {
      for (name, entry) in towers.sorted(by: { $0.key < $1.key })
      where jsonText(ImageTowerFile(entry.config)) == own {
        return (name, isBaseline)
      }
    }
    return nil
  }

  private static func localHead(
    _ side: String, _ width: Int, _ out: Int
  ) -> [(key: String, tensor: Tensor)] {
    let inner = 2048
    let key = RandomKey(seed: 0).split(name: side)
    let prefix = side + ".local_embed.head."
    func linear(_ index: Int, _ outputs: Int, _ inputs: Int) -> [(key: String, tensor: Tensor)] {
      let start = Initializer.linear(fanIn: inputs)
      return [
        (
          "\(prefix)\(index).weight", start.makeTensor([outputs, inputs, 1], key: key.split("weight", index))
        ),
        ("\(prefix)\(index).bias", start.makeTensor([outputs], key: key.split("bias", index))),
      ]
    }
    func norm(_ index: Int, _ width: Int, isAffine: Bool) -> [(key: String, tensor: Tensor)] {
      let affine = isAffine ? [("weight", Tensor([width], repeating: 1)), ("bias", Tensor([width]))] : []
      let running = [
        ("running_mean", Tensor([width])), ("running_var", Tensor([width], repeating: 1)),
        ("num_batches_tracked", Tensor([])),
      ]
      return (affine + running).map { ("\(prefix)\(index).\($0.0)", $0.1) }
    }
    return linear(0, inner, width) + norm(1, inner, isAffine: true) + linear(3, out, inner)
      + norm(4, out, isAffine: false)
  }
}
