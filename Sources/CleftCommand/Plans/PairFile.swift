import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// A pair of towers in one file under CLEFT's key names: the published program's Lightning checkpoint, or safetensors.
///
/// Shapes and keys tell most of the model; the published hyper-parameters, where the file has them, tell the rest.
struct PairFile {
  let file: any WeightsFile
  private(set) var options: ModelOptions
  let quirks: Quirks
  private let hyperParameters: TorchValue?

  /// Opens a file.
  ///
  /// - Parameter needsText: off takes a file of the image tower alone too.
  init(_ path: String, options: ModelOptions, quirks: Quirks, needsText: Bool = true) throws {
    file = try WeightsFiles.open(path)
    self.options = options
    self.quirks = quirks
    hyperParameters = (file as? TorchArchive)?.value("hyper_parameters")
    if case .string(let kind)? = hyperParameters?["llm_type"], ModelCatalog.textTowerByKind[kind] != nil {
      self.options.llm_type = kind
    }
    guard !needsText || file.entries.keys.contains(where: { $0.hasPrefix(KeyMap.textPrefix) }),
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
    if let stored = try storedDescription() { return stored }
    let text = try textConfig()
    var config = DualEncoderConfig(vision: try imageConfig(), text: text)
    let head = "img_encoder_q.global_embed"
    let isLinear = matrix("\(head).weight") != nil
    config.head = isLinear ? .linear : .mlp
    config.embeddingSize = try shape(isLinear ? "\(head).weight" : "\(head).head.3.weight")[0]
    config.pooling = pooling
    config.pooledToken = options.pool_token ?? .endOfText
    if let temperature = number("softmax_temperature") { config.temperature = Float(temperature) }
    let prompt = try prompt(text)
    if prompt != nil { config.captionLength -= 1 }
    return ModelDescription(encoder: config, adapter: try adapter(text), prompt: prompt)
  }

  /// The tokenizer named, or the one that this program has put into the file, or the text tower's.
  func tokenizer() throws -> any Tokenizer {
    if options.tokenizer == nil, let text = string("cleft_tokenizer") ?? file.metadata["cleft_tokenizer"] {
      return try TokenizerFiles.read(json: text, in: "\(file.path): cleft_tokenizer")
    }
    return try TokenizerFiles.read(options.tokenizer ?? textFolder())
  }

  /// The description that this program has put into the file.
  private func storedDescription() throws -> ModelDescription? {
    guard let text = string("cleft_model") ?? file.metadata["cleft_model"] else { return nil }
    do {
      return try JSONDecoder().decode(ModelDescription.self, from: Data(text.utf8))
    } catch {
      throw TrainingError.badData(
        Problem("\(file.path): cleft_model", found: "not a model description (\(error))"))
    }
  }

  private var pooling: ImagePooling { flag("pool_feat") ?? options.pool_feat ? .mean : .cls }

  /// What the file says of its image tower; the text tower is not looked at.
  func imagePart() throws -> ImagePart {
    if let stored = try storedDescription() {
      return ImagePart(
        vision: stored.encoder.vision, pooling: stored.encoder.pooling, adapter: stored.imageAdapter)
    }
    return ImagePart(vision: try imageConfig(), pooling: pooling, adapter: nil)
  }

  /// Fills an image tower with the file's values.
  ///
  /// - Returns: one line for every key of the tower that was left out.
  func load(into tower: any ImageTower) throws -> [String] {
    let prefix = KeyMap.imagePrefix
    let translation = KeyMap.translate(
      file.entries.keys.filter { $0.hasPrefix(prefix) },
      modelKeys: Set(tower.cells().map { prefix + $0.path }))
    let sources = Dictionary(
      uniqueKeysWithValues: translation.sources.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    let report = try tower.load(
      from: file.path, keys: sources.compactMapValues { file.entries[$0]?.shape },
      types: { file.entries[sources[$0] ?? $0]?.dtype }, isStrict: !isLenient,
      optional: { $0 == "mask_token" || $0.hasSuffix("num_batches_tracked") },
      origin: { file.origin(of: sources[$0] ?? $0) }
    ) { try file.number(sources[$0] ?? $0) }
    return report.missing.map { "\(file.path): \(prefix)\($0): missing, keeps its start value" }
      + report.unexpected.map { "\(file.path): \(sources[$0] ?? $0): not used" }
  }

  /// Fills a model with the file's values.
  ///
  /// - Returns: one line for every key that was left out.
  func load(into model: DualEncoder) throws -> [String] {
    let translation = KeyMap.translate(file.entries.keys, modelKeys: Set(model.cells().map(\.path)))
    let report = try model.load(
      from: file.path, keys: translation.sources.compactMapValues { file.entries[$0]?.shape },
      types: { file.entries[translation.sources[$0] ?? $0]?.dtype },
      isStrict: !isLenient,
      optional: { $0.hasSuffix("mask_token") || $0.hasSuffix("num_batches_tracked") },
      origin: { file.origin(of: translation.sources[$0] ?? $0) }
    ) { try file.number(translation.sources[$0] ?? $0) }
    return report.missing.map { "\(file.path): \($0): missing, keeps its start value" }
      + report.unexpected.map { "\(file.path): \(translation.sources[$0] ?? $0): not used" }
      + (isLenient
        ? translation.ignored.map { "\(file.path): \($0.key): not used (\($0.reason))" } : [])
  }

  /// Whether weights may be missing or left over; each is then listed.
  ///
  /// The published program reads `--pretrained_encoder` strictly.
  private var isLenient: Bool {
    options.non_strict || (options.pretrained_encoder == nil && quirks.has(.lenientLoad))
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
    try requireNoMissingBlock(known?.config)
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

  /// A file of a named tower that lacks blocks is damaged; it is not a shallower tower.
  private func requireNoMissingBlock(_ config: (any ImageTowerConfig)?) throws {
    let width = file.entries[KeyMap.imagePrefix + "cls_token"]?.shape.last
    guard let vit = config as? VisionTransformerConfig, width == vit.hiddenSize,
      let block = (0..<vit.depth).first(where: {
        file.entries["\(KeyMap.imagePrefix)blocks.\($0).norm1.weight"] == nil
      })
    else { return }
    throw TrainingError.badData(
      Problem(
        "\(file.path): \(KeyMap.imagePrefix)blocks.\(block)", found: "missing",
        expected: "the \(vit.depth) blocks of \(string("img_encoder") ?? TowerFiles.imageName(options))"))
  }

  /// Optimizer steps that the file says were done.
  var step: Int {
    if case .int(let step)? = (file as? TorchArchive)?.value("global_step") { return step }
    return 0
  }

  private func textConfig() throws -> any TextTowerConfig {
    let table = try textTable()
    let kind = string("llm_type") ?? options.llm_type
    if options.text_model == nil,
      let known = ModelCatalog.textTowerByKind[kind].flatMap({ ModelCatalog.textTowers[$0]?.config }),
      [known.vocabularySize, known.hiddenSize] == table.dimensions
    {
      return fitted(known)
    }
    if options.text_model == nil {
      throw TrainingError.badConfiguration(
        Problem(
          "\(file.path): token table", found: "shape \(table)",
          expected: "--text_model FOLDER with the config.json of the text tower",
          hint: "A weights file does not tell the number of heads."))
    }
    return fitted(try TowerFiles.textConfig(try textFolder()))
  }

  /// What the file's keys say about a text tower: its depth, and for BERT whether segments are told apart.
  private func fitted(_ config: any TextTowerConfig) -> any TextTowerConfig {
    var config = config
    let blocks = config.makeTower().names.blocks + "."
    let depth = Set(
      file.entries.keys.compactMap { key in
        key.range(of: blocks).flatMap {
          key[$0.upperBound...].split(separator: ".").first.flatMap { Int($0) }
        }
      }
    ).count
    if depth > 0 { config.depth = min(depth, config.depth) }
    if var bert = config as? BertConfig {
      if !file.entries.keys.contains(where: { $0.hasSuffix("token_type_embeddings.weight") }) {
        bert.segmentCount = 0
      }
      bert.readsAllAtPositionZero = flag("cleft_all_positions_zero") ?? quirks.has(.bertPositionZero)
      config = bert
    }
    return config
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
    guard entry.shape.rank == 2 else {
      throw TrainingError.badData(
        Problem("\(file.path): \(key)", found: "shape \(entry.shape)", expected: "a table of words"))
    }
    return entry.shape
  }

  /// The tables of vectors in front of captions and of a prefix, which have one name.
  private func tables(_ text: any TextTowerConfig) -> (prompt: Shape?, prefix: Shape?) {
    let name = "prompt_encoder.default.embedding.weight"
    let outer = matrix(KeyMap.textPrefix + name)
    // Vectors wrap a model that has a prefix already.
    if let inner = matrix(KeyMap.textPrefix + "base_model." + name) { return (outer, inner) }
    let isPrefix = string("peft") == "prefix" || outer?.last != text.hiddenSize
    return isPrefix ? (nil, outer) : (outer, nil)
  }

  private func prompt(_ text: any TextTowerConfig) throws -> PromptTuningConfig? {
    tables(text).prompt.map { PromptTuningConfig(virtualTokenCount: $0[0]) }
  }

  /// The shape of a key, if it is a matrix with elements.
  private func matrix(_ key: String) -> Shape? {
    file.entries[key].flatMap { $0.shape.rank == 2 && $0.shape.count > 0 ? $0.shape : nil }
  }

  private func adapter(_ text: any TextTowerConfig) throws -> AdapterDescription? {
    let keys = file.entries.keys.filter { $0.hasPrefix(KeyMap.textPrefix) }
    if let table = tables(text).prefix {
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
      config.initialRank = matrix(key)?[0] ?? config.initialRank
      config.targetRank = min(config.targetRank, config.initialRank)
      config.alpha = options.adapters.lora_alpha ?? config.alpha
      config.targetModules = layers(".lora_E.")
      return try AdapterDescription(method: "adalora", config: config)
    }
    if let key = keys.first(where: { $0.contains(".lora_A.") }) {
      let rank = matrix(key)?[0] ?? 8
      let isDoRA = keys.contains { $0.contains(".lora_magnitude_vector") }
      return try AdapterDescription(
        method: isDoRA ? "dora" : "lora",
        config: LoRAConfig(
          rank: rank, alpha: options.adapters.lora_alpha ?? 32, dropout: options.adapters.lora_dropout ?? 0.1,
          targetModules: layers(".lora_A."), usesRankStabilization: options.adapters.use_rslora,
          usesDoRA: isDoRA))
    }
    if keys.contains(where: { $0.contains(".ia3_l") }) {
      let inputs = keys.filter { $0.contains(".ia3_l") && matrix($0)?[0] == 1 }
      return try AdapterDescription(
        method: "ia3",
        config: IA3Config(targetModules: layers(".ia3_l"), feedForwardModules: names(inputs, ".ia3_l")))
    }
    return nil
  }

  private func shape(_ key: String) throws -> Shape {
    if let shape = matrix(key) { return shape }
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
