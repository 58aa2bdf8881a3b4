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
  var description: ModelDescription
  let tokenizer: any Tokenizer
  /// What was left out of the files it came from, one line each.
  var notes: [String] = []
  /// Optimizer steps done where it comes from.
  var step = 0
}

/// Builds the model that the options name.
struct ModelSource {
  let options: ModelOptions
  let quirks: Quirks
  let seed: UInt64
  var totalSteps: Int?
  /// Columns of a caption in the data at hand; nil where the model's are meant.
  var captionLength: Int?
  /// How scores of pairs become a loss; nil where they do not, and a checkpoint's shift of the scores stays as it is.
  var loss: ContrastiveObjective.Kind?
  /// Whether the shipped tokenizer stands in where `--model` has none: captions are drawn, not read.
  var drawsCaptions = false
  /// A last change to the shapes of a new model; nil for none.
  var reshape: ((inout DualEncoderConfig) throws -> Void)?

  private var key: RandomKey { RandomKey(seed: seed).split("parameters") }

  /// The model of a checkpoint, all of it; options that change no shape are heeded, others must agree.
  ///
  /// - Parameter path: a checkpoint or run folder, or one file of both towers (Lightning's `.ckpt`, safetensors).
  func checkpoint(_ path: String) throws -> LoadedModel {
    if FileSystem.exists(path), !FileSystem.isFolder(path) { return try pairFile(path) }
    let folder = try Checkpoint.locate(path)
    let state = try Checkpoint.readState(folder)
    var description = try ModelDescription.read(folder)
    try requireAgreement(description, path)
    try requireNoEffect(description, path, isPairFile: false)
    if options.tokenizer != nil {
      throw TrainingError.badConfiguration(
        Problem("--tokenizer", found: "a tokenizer", expected: "none, since \(path) has its own"))
    }
    try heedOptions(&description)
    let encoder = try description.makePair()
    try Checkpoint.load(folder, into: encoder, modelFolder: options.model_dir)
    let unread = [("--text_model", options.text_model), ("--img_encoder", options.img_encoder)]
    return LoadedModel(
      encoder: encoder, description: description, tokenizer: try Checkpoint.tokenizer(folder).tokenizer,
      notes: unread.filter { $0.1 != nil }.map { "\($0.0) is not read: \(path) has its own towers" },
      step: state.step)
  }

  /// The model to train: from a checkpoint, from published weights, or from random values; then adapted and frozen.
  func trainable() throws -> LoadedModel {
    var loaded = try start()
    try requireBlocks(loaded.description.encoder.text.depth)
    setLogitBias(&loaded)
    if options.prompt_ft { loaded = try withPrompt(loaded) }
    loaded.encoder.seed(key)
    freeze(loaded.encoder, loaded.description)
    loaded.encoder.text.model.recomputesBlocks = options.grad_ckpt
    loaded.encoder.text.model.detachesUnderRecompute = quirks.has(.checkpointDetach)
    loaded.encoder.text.dropsOutWhileFrozen = quirks.has(.frozenDropout)
    if let note = detachNote(loaded) { loaded.notes.append(note) }
    // A frozen tower keeps nothing for backward, so there is nothing to compute again.
    let image = loaded.encoder.image.model
    image.recomputesBlocks = options.grad_ckpt && image.parameters.contains { $0.cell.isTrainable }
    return loaded
  }

  /// A warning where recomputation keeps an adapter from training, as published.
  private func detachNote(_ loaded: LoadedModel) -> String? {
    let (tower, description) = (loaded.encoder.text.model, loaded.description)
    guard let adapter = description.adapter, description.prompt == nil, tower.prefix == nil,
      options.grad_ckpt, quirks.has(.checkpointDetach), !options.train_embed,
      tower.parameters.contains(where: { $0.cell.isTrainable })
    else { return nil }
    return "--grad_ckpt keeps \(adapter.method) from training, as published (ckpt_detach)"
  }

  private func requireBlocks(_ depth: Int) throws(TrainingError) {
    guard options.num_freeze_blocks > depth else { return }
    throw .badConfiguration(
      Problem(
        "--num_freeze_blocks", found: "\(options.num_freeze_blocks)",
        expected: "at most the \(depth) blocks of the text tower"))
  }

  private func start() throws -> LoadedModel {
    guard let path = options.pretrained_model ?? options.pretrained_encoder else { return try fresh() }
    let loaded = try checkpoint(path)
    if options.pretrained_model == nil && !options.inherit_logit_scale {
      loaded.encoder.$logitScale.value = Tensor([], [log(1 / temperature)])
    }
    return loaded
  }

  private var temperature: Float {
    options.softmax_temperature ?? (loss ?? .softmax).temperature
  }

  /// Gives the model a shift of its scores where the loss trains one, and takes it away where it does not.
  private func setLogitBias(_ loaded: inout LoadedModel) {
    guard let loss, loaded.description.encoder.hasLogitBias != (loss == .sigmoid) else { return }
    if let path = options.pretrained_model ?? options.pretrained_encoder {
      loaded.notes.append(
        loss == .sigmoid
          ? "\(path) has no logit_bias: it starts at -10"
          : "the logit_bias of \(path) is not used: \(loss) loss")
    }
    loaded.encoder.setLogitBias(isPresent: loss == .sigmoid)
    loaded.description.encoder.hasLogitBias = loss == .sigmoid
  }

  private func pairFile(_ path: String) throws -> LoadedModel {
    let pair = try PairFile(path, options: options, quirks: quirks)
    var description = try pair.description()
    try requireAgreement(description, path)
    try requireNoEffect(description, path, isPairFile: true)
    try heedOptions(&description)
    let tokenizer = try pair.tokenizer()
    try TowerFiles.requireFit(tokenizer, description.encoder.text.vocabularySize)
    description.encoder.text.paddingID = tokenizer.paddingID
    let encoder = try description.makePair()
    encoder.seed(key)
    let notes = try pair.load(into: encoder)
    return LoadedModel(
      encoder: encoder, description: description, tokenizer: tokenizer, notes: notes, step: pair.step)
  }

  /// Options that decide how a stored model is read, not what it is.
  private func heedOptions(_ description: inout ModelDescription) throws(TrainingError) {
    // What is not asked for stays as the model was trained.
    let published = quirks.choice(.poolFirst).map { $0 ? PooledToken.firstPad : .endOfText }
    if let rule = options.pool_token ?? published ?? (quirks.has(.poolFirst) ? .firstPad : nil) {
      description.encoder.pooledToken = rule
    }
    if let isOn = quirks.choice(.bertPositionZero), var bert = description.encoder.text as? BertConfig {
      bert.readsAllAtPositionZero = isOn
      description.encoder.text = bert
    }
    if let size = options.image_size { description.encoder.vision.imageSizePixels = size }
    if let dropout = options.text_dropout { description.encoder.text.dropout = dropout }
    if let captionLength {
      // The `X` before a caption takes one of its columns.
      description.encoder.captionLength = captionLength - (description.prompt == nil ? 0 : 1)
    }
    if options.adapters.adalora_allocate {
      guard var config = description.adapter?.config as? AdaLoRAConfig else {
        throw .badConfiguration(
          Problem("--adalora_allocate", found: "a model without AdaLoRA", expected: "one with it"))
      }
      config.allocates = true
      config.totalSteps = totalSteps
      description.adapter?.config = config
    }
    try setVision(&description.encoder.vision)
  }

  /// Options that decide how an image tower is run, not what it is.
  func setVision(_ config: inout any ImageTowerConfig) throws(TrainingError) {
    let (given, dropPath) = (options.img_mask_ratio, options.drop_path)
    let ratio = given ?? 0
    // What is not asked for stays as the model was trained.
    let masks = quirks.choice(.maskInEvaluation) ?? given.map { _ in quirks.has(.maskInEvaluation) }
    switch config {
    case var vision as VisionTransformerConfig:
      vision.maskedFraction = given ?? vision.maskedFraction
      vision.masksInEvaluation = masks ?? vision.masksInEvaluation
      vision.dropPath = dropPath ?? vision.dropPath
      config = vision
    case var vision as MaskedAutoencoderConfig where dropPath == nil:
      vision.maskedFraction = given ?? vision.maskedFraction
      vision.masksInEvaluation = masks ?? vision.masksInEvaluation
      config = vision
    case var vision as SwinConfig where ratio == 0:
      vision.dropPath = dropPath ?? vision.dropPath
      config = vision
    default:
      guard ratio > 0 || dropPath != nil else { return }
      throw .badConfiguration(
        Problem(
          ratio > 0 ? "--img_mask_ratio" : "--drop_path",
          found: "a \(type(of: config).kind) image tower",
          expected: "a tower that has it"))
    }
  }

  /// A checkpoint brings its model along; options that name another one are an error, not ignored.
  private func requireAgreement(_ description: ModelDescription, _ path: String) throws(TrainingError) {
    let config = description.encoder
    func require(_ option: String, _ given: String?, _ own: String) throws(TrainingError) {
      guard let given, given != own else { return }
      throw .badConfiguration(Problem(option, found: given, expected: "\(own) as in \(path)"))
    }
    try require("--emb_dim", options.emb_dim.map(String.init), "\(config.embeddingSize)")
    try require("--peft", options.adapters.peft, description.adapter?.method ?? "none")
    try require("--linear_proj", options.linear_proj ? "linear heads" : nil, "\(config.head) heads")
    try require("--pool_feat", options.pool_feat ? "mean pooling" : nil, "\(config.pooling) pooling")
    let kind = ModelCatalog.textTowers.values.first { type(of: $0.config) == type(of: config.text) }?.llmType
    try require("--llm_type", options.llm_type == "gpt" ? nil : options.llm_type, kind ?? "gpt")
    try require("--model", options.model, "no --model, since the checkpoint has its own,")
  }

  /// Options that only a new model heeds are an error with a checkpoint, unless they say what it is anyway.
  private func requireNoEffect(
    _ description: ModelDescription, _ path: String, isPairFile: Bool
  ) throws {
    let adapters = options.adapters
    var given: [(name: String, isGiven: Bool)] = [
      ("--adapter", adapters.adapter != nil), ("--img_peft", adapters.img_peft != nil),
      ("--text_layers", options.text_layers != nil), ("--random_vit", options.random_vit),
      ("--baseline_vit", options.baseline_vit),
    ]
    let wanted = try adapters.textAdapter(totalSteps: nil).map { jsonText($0) }
    if wanted == nil || wanted != description.adapter.map({ jsonText($0) }) {
      given += adapters.settings.filter { name, _ in
        // A file that does not tell them is read with these.
        !isPairFile || !["--lora_alpha", "--lora_dropout", "--use_rslora"].contains(name)
      }
    }
    for option in given where option.isGiven {
      throw TrainingError.badConfiguration(
        Problem(
          option.name, found: "with \(path), which has its own model", expected: "without it",
          hint: "It is for a model that starts from --model or from files of the towers."))
    }
  }

  private func fresh() throws -> LoadedModel {
    try options.adapters.requireMethod()
    let towers = try TowerFiles(options: options, quirks: quirks)
    var config = try towers.config()
    config.embeddingSize = options.emb_dim ?? config.embeddingSize
    // The published baseline knows no linear projection.
    let isBaseline = options.llm_type == "bert" && quirks.has(.baselineHeads)
    config.head = options.linear_proj && !isBaseline ? .linear : .mlp
    config.pooling = options.pool_feat ? .mean : .cls
    config.pooledToken = options.pool_token ?? (quirks.has(.poolFirst) ? .firstPad : .endOfText)
    config.temperature = temperature
    config.captionLength = captionLength ?? config.captionLength
    config.vision.imageSizePixels = options.image_size ?? config.vision.imageSizePixels
    config.text.dropout = options.text_dropout ?? config.text.dropout
    try setVision(&config.vision)
    try reshape?(&config)
    let tokenizer: any Tokenizer =
      drawsCaptions && options.model != nil && options.tokenizer == nil
      ? DefaultVocabulary.tokenizer : try towers.tokenizer(vocabularySize: config.text.vocabularySize)
    config.text.paddingID = tokenizer.paddingID
    var description = ModelDescription(
      encoder: config, adapter: try options.adapters.textAdapter(totalSteps: totalSteps),
      imageAdapter: try options.adapters.imageAdapter(totalSteps: totalSteps))
    let encoder = try ModelDescription(encoder: config).makeModel()
    encoder.seed(key)
    let notes = try towers.load(into: encoder)
    if options.random_vit { RandomVisionStart.apply(to: encoder.image.model, key.split("random vit")) }
    try adapt(encoder, &description)
    try description.requireRoom()
    return LoadedModel(encoder: encoder, description: description, tokenizer: tokenizer, notes: notes)
  }

  private func adapt(_ encoder: DualEncoder, _ description: inout ModelDescription) throws {
    guard let path = options.adapters.adapter else {
      return try description.adapt(encoder, startsFresh: true)
    }
    if options.adapters.peft != nil {
      throw TrainingError.badConfiguration(
        Problem(
          "--adapter", found: "together with --peft", expected: "one of them: the folder names its method"))
    }
    let folder = try AdapterFolder(path)
    try description.adapt(encoder, startsFresh: true)
    try folder.apply(to: encoder.text.model, encoder.text.model.names.adapterTargets)
    switch folder.method {
    case .adapter(let adapter): description.adapter = adapter
    case .prompt(let prompt): try takePrompt(prompt, &description, encoder)
    }
  }

  /// Notes that a model has vectors in front of captions; the `X` before a caption takes one of its columns.
  private func takePrompt(
    _ prompt: PromptTuningConfig, _ description: inout ModelDescription, _ encoder: DualEncoder
  ) throws {
    description.prompt = prompt
    description.encoder.captionLength -= 1
    try description.requireRoom()
    encoder.setCaptions(
      length: description.encoder.captionLength, pooledToken: description.encoder.pooledToken)
  }

  /// Which parameters are trained, in the published order of the flags.
  func freeze(_ encoder: DualEncoder, _ description: ModelDescription) {
    let tower = encoder.text.model
    let names = tower.names
    if let adapter = description.adapter {
      // Under an adapter only its own parameters are trained in the language model.
      for named in tower.parameters {
        named.cell.isTrainable = named.path.contains(adapter.config.parameterMark)
      }
    }
    func set(_ isTrainable: Bool, where applies: (String) -> Bool) {
      for named in tower.parameters where applies(named.path) { named.cell.isTrainable = isTrainable }
    }
    if options.train_embed { set(true) { $0.hasPrefix(names.tokens + ".") } }
    if options.freeze_llm { tower.setTrainable(false) }
    if description.prompt != nil { encoder.text.setTrainable(false) }
    // The published wrapper freezes the norms again under prompt tuning.
    if options.unlock_ln {
      if !quirks.has(.normsByName) { set(true, where: names.isNorm) }
      // The published program looks for `ln` in the name and freezes it again under prompt tuning.
      if quirks.has(.normsByName), description.prompt == nil { set(true) { $0.contains("ln") } }
    }
    set(false) { names.block(of: $0).map { $0 < options.num_freeze_blocks } ?? false }
    tower.virtualTokens?.cell.isTrainable = true
    if let adapter = description.imageAdapter {
      for named in encoder.image.model.parameters {
        named.cell.isTrainable = named.path.contains(adapter.config.parameterMark)
      }
    }
    if options.freeze_vit { encoder.image.setTrainable(false) }
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
    var loaded = loaded
    try takePrompt(prompt, &loaded.description, loaded.encoder)
    let words =
      options.ctx_init == "caption"
      ? loaded.tokenizer.encodeWithSpecials(Captions.chestPrefix.lowercased()) : nil
    try prompt.apply(to: loaded.encoder.text.model, startingFrom: words)
    return loaded
  }
}
