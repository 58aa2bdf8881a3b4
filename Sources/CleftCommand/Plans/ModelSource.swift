import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// A model with its tokenizer, ready to train or to evaluate.
struct LoadedModel {
  let encoder: DualEncoder
  let description: ModelDescription
  let tokenizer: ByteLevelBPE
  let tokenizerJSON: String
}

/// Builds the model that the options name.
struct ModelSource {
  let options: ModelOptions
  let isReference: Bool
  let seed: UInt64

  /// The model of a checkpoint, all of it.
  static func checkpoint(_ path: String) throws -> LoadedModel {
    let folder = try Checkpoint.locate(path)
    _ = try Checkpoint.readState(folder)
    let description = try ModelDescription.read(folder)
    let encoder = try description.makeWholeModel()
    try Checkpoint.load(folder, into: encoder)
    let (tokenizer, json) = try Checkpoint.tokenizer(folder)
    return LoadedModel(encoder: encoder, description: description, tokenizer: tokenizer, tokenizerJSON: json)
  }

  /// The model to train: from a checkpoint, from published weights, or from random values; then adapted and frozen.
  func trainable() throws -> LoadedModel {
    var loaded = try start()
    loaded.encoder.seed(RandomKey(seed: seed).split("parameters"))
    if options.prompt_ft { loaded = try withPrompt(loaded) }
    if options.freeze_llm { loaded.encoder.text.model.setTrainable(false) }
    if options.prompt_ft { loaded.encoder.text.model.virtualTokens?.cell.isTrainable = true }
    if options.freeze_vit { loaded.encoder.image.setTrainable(false) }
    loaded.encoder.text.model.recomputesBlocks = options.grad_ckpt
    return loaded
  }

  private func start() throws -> LoadedModel {
    guard let path = options.pretrained_model ?? options.pretrained_encoder else { return try fresh() }
    let loaded = try Self.checkpoint(path)
    let (config, option) = (loaded.description.encoder, options.emb_dim)
    if let option, option != config.embeddingSize {
      throw TrainingError.badConfiguration(
        Problem("--emb_dim", found: "\(option)", expected: "\(config.embeddingSize) as in \(path)"))
    }
    if let peft = options.peft, loaded.description.adapter?.method != peft {
      throw TrainingError.badConfiguration(
        Problem(
          "--peft", found: peft, expected: "\(loaded.description.adapter?.method ?? "none") as in \(path)"))
    }
    if loaded.description.adapter != nil { freezeBase(loaded.encoder) }
    if options.pretrained_model == nil && !options.inherit_logit_scale {
      loaded.encoder.$logitScale.value = Tensor([], [log(1 / options.softmax_temperature)])
    }
    return loaded
  }

  /// Under an adapter only its own parameters are trained in the language model.
  private func freezeBase(_ encoder: DualEncoder) {
    for named in encoder.text.model.parameters where !named.path.contains("lora_") {
      named.cell.isTrainable = false
    }
  }

  private func fresh() throws -> LoadedModel {
    let towers = try TowerFiles(options: options)
    var config = try towers.config()
    config.embeddingSize = options.emb_dim ?? config.embeddingSize
    config.head = options.linear_proj ? .linear : .mlp
    config.pooling = options.pool_feat ? .mean : .cls
    config.pooledToken = options.pool_token ?? (isReference ? .firstPad : .endOfText)
    config.temperature = options.softmax_temperature
    if let size = options.image_size { config.vision.imageSizePixels = size }
    guard config.vision.imageSizePixels % config.vision.patchSize == 0, config.vision.imageSizePixels > 0
    else {
      throw TrainingError.badConfiguration(
        Problem(
          "--image_size", found: "\(config.vision.imageSizePixels)",
          expected: "a multiple of \(config.vision.patchSize)"))
    }
    let (tokenizer, json) = try towers.tokenizer(vocabularySize: config.text.vocabularySize)
    config.text.endOfTextID = tokenizer.endOfTextID
    let description = ModelDescription(
      encoder: config, adapter: try options.peft.map { try AdapterDescription(method: $0) })
    let encoder = DualEncoder(config)
    encoder.seed(RandomKey(seed: seed).split("parameters"))
    try towers.load(into: encoder)
    if let adapter = description.adapter {
      _ = try adapter.config.apply(to: encoder.text.model, defaultTargets: GPTEncoder.defaultAdapterTargets)
    }
    return LoadedModel(encoder: encoder, description: description, tokenizer: tokenizer, tokenizerJSON: json)
  }

  private func withPrompt(_ loaded: LoadedModel) throws -> LoadedModel {
    var description = loaded.description
    let prompt = PromptTuningConfig(virtualTokenCount: options.ctx_length)
    let words =
      options.ctx_init == "caption" ? loaded.tokenizer.encode(Captions.chestPrefix.lowercased()) : nil
    loaded.encoder.text.setTrainable(false)
    try prompt.apply(to: loaded.encoder.text.model, startingFrom: words)
    loaded.encoder.seed(RandomKey(seed: seed).split("parameters"))
    description.prompt = prompt
    return LoadedModel(
      encoder: loaded.encoder, description: description, tokenizer: loaded.tokenizer,
      tokenizerJSON: loaded.tokenizerJSON)
  }
}
