import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// A pair of towers in one file under CLEFT's key names: the published program's Lightning checkpoint, or safetensors.
///
/// Shapes and keys tell most of the model; the published hyper-parameters, where the file has them, tell the rest.
struct PairFile {
  let file: any WeightsFile
  let options: ModelOptions
  private let hyperParameters: TorchValue?

  init(_ path: String, options: ModelOptions) throws {
    file = try WeightsFiles.open(path)
    self.options = options
    hyperParameters = (file as? TorchArchive)?.value("hyper_parameters")
    guard file.entries.keys.contains(where: { $0.hasPrefix(KeyMap.textPrefix) }),
      file.entries.keys.contains(where: { $0.hasPrefix(KeyMap.imagePrefix) })
    else {
      let near = file.entries.keys.sorted().prefix(3).joined(separator: ", ")
      throw TrainingError.badData(
        Problem(
          path, found: "no \(KeyMap.imagePrefix)… and \(KeyMap.textPrefix)… keys, but \(near)",
          expected: "a checkpoint of both towers",
          hint: "Weights of one tower go to --img_encoder or --text_model."))
    }
  }

  /// The model that the file's values are for.
  func description() throws -> ModelDescription {
    let text = try textConfig()
    var config = DualEncoderConfig(vision: try imageConfig(), text: text)
    let head = "img_encoder_q.global_embed"
    let isLinear = file.entries["\(head).weight"] != nil
    config.head = isLinear ? .linear : .mlp
    config.embeddingSize = try shape(isLinear ? "\(head).weight" : "\(head).head.3.weight")[0]
    config.pooling = flag("pool_feat") ?? options.pool_feat ? .mean : .cls
    config.pooledToken = options.pool_token ?? .endOfText
    if let temperature = number("softmax_temperature") { config.temperature = Float(temperature) }
    let prompt = try prompt(text)
    if prompt != nil { config.captionLength -= 1 }
    return ModelDescription(encoder: config, adapter: try adapter(text), prompt: prompt)
  }

  /// Fills a model with the file's values.
  ///
  /// - Returns: one line for every key that was left out.
  func load(into model: DualEncoder) throws -> [String] {
    let translation = KeyMap.translate(file.entries.keys, modelKeys: Set(model.cells().map(\.path)))
    let report = try model.load(
      from: file.path, keys: translation.sources.compactMapValues { file.entries[$0]?.shape },
      isStrict: !options.non_strict,
      optional: { $0.hasSuffix("mask_token") || $0.hasSuffix("num_batches_tracked") }
    ) { try file.number(translation.sources[$0] ?? $0) }
    return report.missing.map { "\(file.path): \($0): missing, keeps its start value" }
      + report.unexpected.map { "\(file.path): \(translation.sources[$0] ?? $0): not used" }
  }

  /// The folder that tells what the file does not: sizes of the text tower and the tokenizer.
  func textFolder() throws -> String { try TowerFiles.textFolder(options) }

  // MARK: - Parts

  private func imageConfig() throws -> any ImageTowerConfig {
    let name = TowerFiles.imageName(options)
    let published = string("img_encoder").flatMap {
      ModelCatalog.imageTowers[$0] ?? ModelCatalog.baselineTowers[$0]
    }
    let known = options.img_encoder == nil ? published : ModelCatalog.imageTowers[name]
    if let config = known?.config, fits(config) { return config }
    return try VisionTransformerConfig.inferred(
      from: file, prefix: KeyMap.imagePrefix, headCount: options.img_heads)
  }

  /// Whether a published tower has the shapes in the file.
  private func fits(_ config: any ImageTowerConfig) -> Bool {
    guard let vit = config as? VisionTransformerConfig else { return true }
    let token = file.entries[KeyMap.imagePrefix + "cls_token"]?.shape.last
    let block = file.entries[KeyMap.imagePrefix + "blocks.\(vit.depth - 1).norm1.weight"]
    return token == vit.hiddenSize && block != nil
  }

  private func textConfig() throws -> any TextTowerConfig {
    let table = try textTable()
    let kind = string("llm_type") ?? options.llm_type
    if options.text_model == nil,
      let known = ModelCatalog.textTowerByKind[kind].flatMap({ ModelCatalog.textTowers[$0]?.config }),
      [known.vocabularySize, known.hiddenSize] == table.dimensions
    {
      return known
    }
    if options.text_model == nil {
      throw TrainingError.badConfiguration(
        Problem(
          "\(file.path): token table", found: "shape \(table)",
          expected: "--text_model FOLDER with the config.json of the text tower",
          hint: "A weights file does not tell the number of heads."))
    }
    return try TowerFiles.textConfig(try textFolder())
  }

  private func textTable() throws -> Shape {
    let endings = [".wte.weight", ".embed_tokens.weight", "embeddings.word_embeddings.weight"]
    let key = file.entries.keys.sorted().first { key in
      key.hasPrefix(KeyMap.textPrefix) && endings.contains(where: key.hasSuffix)
    }
    guard let key, let entry = file.entries[key] else {
      throw TrainingError.badData(
        Problem(file.path, found: "no token table", expected: "a GPT-2, LLaMA or BERT text tower"))
    }
    return entry.shape
  }

  private var promptTable: Shape? {
    file.entries[KeyMap.textPrefix + "prompt_encoder.default.embedding.weight"]?.shape
  }

  private func prompt(_ text: any TextTowerConfig) throws -> PromptTuningConfig? {
    guard let table = promptTable, table.last == text.hiddenSize, string("peft") != "prefix" else {
      return nil
    }
    return PromptTuningConfig(virtualTokenCount: table[0])
  }

  private func adapter(_ text: any TextTowerConfig) throws -> AdapterDescription? {
    let keys = file.entries.keys.filter { $0.hasPrefix(KeyMap.textPrefix) }
    if let table = promptTable, table.last != text.hiddenSize {
      return try AdapterDescription(
        method: "prefix", config: PrefixTuningConfig(virtualTokenCount: table[0]))
    }
    /// The last two parts of the paths in front of a mark.
    func names(_ keys: [String], _ mark: String) -> TargetModules {
      let layers = keys.compactMap { key in
        key.range(of: mark).map {
          key[..<$0.lowerBound].split(separator: ".").suffix(2).joined(separator: ".")
        }
      }
      return .names(Set(layers).sorted())
    }
    func layers(_ mark: String) -> TargetModules { names(keys, mark) }
    if let key = keys.first(where: { $0.contains(".lora_E.") }) {
      var config = AdaLoRAConfig()
      config.initialRank = file.entries[key]?.shape[0] ?? config.initialRank
      config.targetModules = layers(".lora_E.")
      return try AdapterDescription(method: "adalora", config: config)
    }
    if let key = keys.first(where: { $0.contains(".lora_A.") }) {
      let rank = file.entries[key]?.shape[0] ?? 8
      let isDoRA = keys.contains { $0.contains(".lora_magnitude_vector") }
      return try AdapterDescription(
        method: isDoRA ? "dora" : "lora",
        config: LoRAConfig(rank: rank, targetModules: layers(".lora_A."), usesDoRA: isDoRA))
    }
    if keys.contains(where: { $0.contains(".ia3_l") }) {
      let inputs = keys.filter { $0.contains(".ia3_l") && file.entries[$0]?.shape[0] == 1 }
      return try AdapterDescription(
        method: "ia3",
        config: IA3Config(targetModules: layers(".ia3_l"), feedForwardModules: names(inputs, ".ia3_l")))
    }
    return nil
  }

  private func shape(_ key: String) throws -> Shape {
    if let entry = file.entries[key] { return entry.shape }
    let near = nearestNames(to: key, among: file.entries.keys).joined(separator: ", ")
    throw TrainingError.badData(
      Problem("\(file.path): \(key)", found: "missing", expected: "a projection", hint: "Nearest: \(near)."))
  }

  private func flag(_ name: String) -> Bool? {
    if case .bool(let value)? = hyperParameters?[name] { return value }
    return nil
  }

  private func string(_ name: String) -> String? {
    if case .string(let value)? = hyperParameters?[name] { return value }
    return nil
  }

  private func number(_ name: String) -> Double? {
    switch hyperParameters?[name] {
    case .double(let value): value
    case .int(let value): Double(value)
    default: nil
    }
  }
}
