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

  /// The model of a checkpoint, all of it; options that change no shape are heeded, others must agree.
  func checkpoint(_ path: String) throws -> LoadedModel {
    let folder = try Checkpoint.locate(path)
    _ = try Checkpoint.readState(folder)
    var description = try ModelDescription.read(folder)
    try requireAgreement(description, path)
    if let rule = options.pool_token ?? (isReference ? .firstPad : nil) {
      description.encoder.pooledToken = rule
    }
    if let size = options.image_size { description.encoder.vision.imageSizePixels = size }
    let encoder = try description.makeWholeModel()
    try Checkpoint.load(folder, into: encoder)
    let (tokenizer, json) = try Checkpoint.tokenizer(folder)
    return LoadedModel(encoder: encoder, description: description, tokenizer: tokenizer, tokenizerJSON: json)
  }

  /// The model to train: from a checkpoint, from published weights, or from random values; then adapted and frozen.
  func trainable() throws -> LoadedModel {
    var loaded = try start()
    if options.prompt_ft { loaded = try withPrompt(loaded) }
    loaded.encoder.seed(RandomKey(seed: seed).split("parameters"))
    if let adapter = loaded.description.adapter {
      // Under an adapter only its own parameters are trained in the language model.
      for named in loaded.encoder.text.model.parameters {
        named.cell.isTrainable = named.path.contains(adapter.config.parameterMark)
      }
    }
    if loaded.description.prompt != nil { loaded.encoder.text.setTrainable(false) }
    if options.freeze_llm { loaded.encoder.text.model.setTrainable(false) }
    loaded.encoder.text.model.virtualTokens?.cell.isTrainable = true
    if options.freeze_vit { loaded.encoder.image.setTrainable(false) }
    loaded.encoder.text.model.recomputesBlocks = options.grad_ckpt
    return loaded
  }

  private func start() throws -> LoadedModel {
    guard let path = options.pretrained_model ?? options.pretrained_encoder else { return try fresh() }
    let loaded = try checkpoint(path)
    if options.pretrained_model == nil && !options.inherit_logit_scale {
      loaded.encoder.$logitScale.value = Tensor([], [log(1 / options.softmax_temperature)])
    }
    return loaded
  }

  /// A checkpoint brings its model along; options that name another one are an error, not ignored.
  private func requireAgreement(_ description: ModelDescription, _ path: String) throws(TrainingError) {
    let config = description.encoder
    func require(_ option: String, _ given: String?, _ own: String) throws(TrainingError) {
      guard let given, given != own else { return }
      throw .badConfiguration(Problem(option, found: given, expected: "\(own) as in \(path)"))
    }
    try require("--emb_dim", options.emb_dim.map(String.init), "\(config.embeddingSize)")
    try require("--peft", options.peft, description.adapter?.method ?? "none")
    try require("--linear_proj", options.linear_proj ? "linear heads" : nil, "\(config.head) heads")
    try require("--pool_feat", options.pool_feat ? "mean pooling" : nil, "\(config.pooling) pooling")
    try require("--model", options.model, "no --model, since the checkpoint has its own,")
    try require("--tokenizer", options.tokenizer, "no --tokenizer, since the checkpoint has its own,")
  }

  private func fresh() throws -> LoadedModel {
    let towers = try TowerFiles(options: options)
    var config = try towers.config()
    config.embeddingSize = options.emb_dim ?? config.embeddingSize
    config.head = options.linear_proj ? .linear : .mlp
    config.pooling = options.pool_feat ? .mean : .cls
    config.pooledToken = options.pool_token ?? (isReference ? .firstPad : .endOfText)
    config.temperature = options.softmax_temperature
    config.vision.imageSizePixels = options.image_size ?? config.vision.imageSizePixels
    let (tokenizer, json) = try towers.tokenizer(vocabularySize: config.text.vocabularySize)
    config.text.endOfTextID = tokenizer.endOfTextID
    let description = ModelDescription(
      encoder: config, adapter: try options.peft.map { try AdapterDescription(method: $0) })
    let encoder = try ModelDescription(encoder: config).makeModel()
    encoder.seed(RandomKey(seed: seed).split("parameters"))
    try towers.load(into: encoder)
    if let adapter = description.adapter {
      _ = try adapter.config.apply(to: encoder.text.model, defaults: GPTEncoder.adapterTargets)
    }
    return LoadedModel(encoder: encoder, description: description, tokenizer: tokenizer, tokenizerJSON: json)
  }

  /// Puts vectors in front of captions; a checkpoint's own vectors are kept and trained on.
  private func withPrompt(_ loaded: LoadedModel) throws -> LoadedModel {
    let prompt = PromptTuningConfig(virtualTokenCount: options.ctx_length)
    if let own = loaded.description.prompt {
      guard own == prompt else {
        throw TrainingError.badConfiguration(
          Problem(
            "--ctx_length", found: "\(prompt.virtualTokenCount)",
            expected: "\(own.virtualTokenCount) as in the checkpoint, whose vectors are trained on"))
      }
      return loaded
    }
    var description = loaded.description
    description.prompt = prompt
    // The `X` in front of a caption takes one of its columns and is then dropped.
    description.encoder.captionLength -= 1
    if let contradiction = description.encoder.contradiction(virtualTokenCount: prompt.virtualTokenCount) {
      throw TrainingError.badConfiguration(Problem("--ctx_length", found: contradiction))
    }
    let words =
      options.ctx_init == "caption" ? loaded.tokenizer.encode(Captions.chestPrefix.lowercased()) : nil
    try prompt.apply(to: loaded.encoder.text.model, startingFrom: words)
    loaded.encoder.setCaptions(
      length: description.encoder.captionLength, pooledToken: description.encoder.pooledToken)
    return LoadedModel(
      encoder: loaded.encoder, description: description, tokenizer: loaded.tokenizer,
      tokenizerJSON: loaded.tokenizerJSON)
  }
}
