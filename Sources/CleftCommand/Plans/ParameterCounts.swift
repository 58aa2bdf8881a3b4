import ArgumentParser
import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTraining
import Foundation

/// Counts of the model that some options describe, or of the published recipes.
///
/// Sizes come from the catalogue or from `config.json`; no weights are read or made.
struct ParameterCounts {
  let options: ModelOptions
  let quirks: Quirks

  /// One counted model.
  struct Entry: Encodable {
    let recipe: String
    let total: Int
    let trainable: Int
    let live: Int
    let parts: [ParameterReport.Part]

    init(_ recipe: String, _ report: ParameterReport) {
      self.recipe = recipe
      (total, trainable, live, parts) = (report.total, report.trainable, report.live, report.parts)
    }
  }

  /// The model described, or with no options the published recipes.
  func reports() throws -> [Entry] {
    let plain = try ModelOptions.parse([])
    let isPlain =
      zip(resolvedOptions([options]), resolvedOptions([plain])).allSatisfy { $0 == $1 }
      && resolvedOptions([options]).count == resolvedOptions([plain]).count
    if !isPlain { return [Entry("as described", try report(options))] }
    return try recipes().map { Entry($0.0, try report($0.1)) }
  }

  private func recipes() -> [(String, ModelOptions)] {
    func recipe(_ change: (inout ModelOptions) -> Void) -> ModelOptions {
      var options = options
      options.linear_proj = true
      options.pool_feat = true
      change(&options)
      return options
    }
    return [
      ("contrastive pretraining, LoRA (published command 1)", recipe { $0.adapters.peft = "lora" }),
      (
        "context-prompt tuning (published command 2)",
        recipe {
          $0.adapters.peft = "lora"
          $0.freeze_llm = true
          $0.prompt_ft = true
          $0.ctx_length = 30
        }
      ),
      ("contrastive pretraining, IA3", recipe { $0.adapters.peft = "ia3" }),
      ("contrastive pretraining, prefix", recipe { $0.adapters.peft = "prefix" }),
      ("contrastive pretraining, AdaLoRA", recipe { $0.adapters.peft = "adalora" }),
      ("frozen language model", recipe { $0.freeze_llm = true }),
      ("full fine-tuning", recipe { _ in }),
    ]
  }

  private func report(_ options: ModelOptions) throws -> ParameterReport {
    counted(try encoder(options), options)
  }

  /// The model that some options describe, adapted and frozen as `cleft train` would; values are made when first read.
  ///
  /// - Parameter reshape: changes the shapes before the model is made; not those of a checkpoint.
  func encoder(
    _ options: ModelOptions, reshape: (inout DualEncoderConfig) throws -> Void = { _ in }
  ) throws -> DualEncoder {
    let source = ModelSource(options: options, quirks: quirks, seed: 0)
    if options.pretrained_model != nil || options.pretrained_encoder != nil {
      // A checkpoint is mapped, not read.
      return try source.trainable().encoder
    }
    try options.adapters.requireMethod()
    var config = try config(options)
    try source.setVision(&config.vision)
    try reshape(&config)
    var description = ModelDescription(
      encoder: config, adapter: try options.adapters.textAdapter(totalSteps: nil),
      imageAdapter: try options.adapters.imageAdapter(totalSteps: nil))
    if options.prompt_ft { description.prompt = PromptTuningConfig(virtualTokenCount: options.ctx_length) }
    try description.requireRoom()
    let encoder = DualEncoder(description.encoder)
    try description.adapt(encoder, startsFresh: false)
    // The vectors' start needs no words here: nothing is read.
    try description.prompt?.apply(to: encoder.text.model, startingFrom: nil)
    if let path = options.adapters.adapter {
      let folder = try AdapterFolder(path)
      try folder.apply(to: encoder.text.model, encoder.text.model.names.adapterTargets)
      if case .adapter(let adapter) = folder.method { description.adapter = adapter }
      if case .prompt(let prompt) = folder.method { description.prompt = prompt }
    }
    source.freeze(encoder, description)
    return encoder
  }

  private func counted(_ encoder: DualEncoder, _ options: ModelOptions) -> ParameterReport {
    ParameterReport(
      encoder, isImageHeadTrained: !options.freeze_vit, isTextHeadTrained: !options.prompt_ft)
  }

  private func config(_ options: ModelOptions) throws -> DualEncoderConfig {
    var config: DualEncoderConfig
    let image = TowerFiles.imageName(options)
    let text = options.text_model ?? ModelCatalog.textTowerByKind[options.llm_type] ?? ""
    let towers = options.baseline_vit ? ModelCatalog.baselineTowers : ModelCatalog.imageTowers
    if options.model != nil {
      config = try TowerFiles(options: options, quirks: quirks).config()
    } else if let vision = towers[image]?.config ?? ModelCatalog.baselineTowers[image]?.config,
      let language = try FileSystem.exists(text)
        ? TowerFiles.textConfig(text) : ModelCatalog.textTowers[text]?.config
    {
      config = DualEncoderConfig(
        vision: vision, text: try TowerFiles.fitted(language, text, options, quirks))
    } else {
      config = try TowerFiles(options: options, quirks: quirks).config()
    }
    config.embeddingSize = options.emb_dim ?? config.embeddingSize
    config.vision.imageSizePixels = options.image_size ?? config.vision.imageSizePixels
    let isBaseline = options.llm_type == "bert" && quirks.has(.baselineHeads)
    config.head = options.linear_proj && !isBaseline ? .linear : .mlp
    config.pooling = options.pool_feat ? .mean : .cls
    return config
  }

  /// A table a recipe.
  static func text(_ entries: [Entry]) -> String {
    entries.map { entry in
      func row(_ name: String, _ total: Int, _ trainable: Int, _ live: Int) -> String {
        func right(_ number: Int) -> String {
          let text = grouped(number)
          return String(repeating: " ", count: max(1, 16 - text.count)) + text
        }
        return name + String(repeating: " ", count: max(1, 44 - name.count)) + right(total) + right(trainable)
          + right(live)
      }
      let head =
        entry.recipe + "\n" + String(repeating: " ", count: 44)
        + "             all       trainable            live"
      let rows = entry.parts.map { row("  " + $0.name, $0.total, $0.trainable, $0.live) }
      return ([head] + rows + [row("  together", entry.total, entry.trainable, entry.live)])
        .joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.enumerated().map { index, digit in
      index > 0 && (digits.count - index) % 3 == 0 ? ",\(digit)" : "\(digit)"
    }.joined()
  }
}
