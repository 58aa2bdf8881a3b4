import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// A folder of inputs, weights and PyTorch's answers for one small model.
///
/// Files: `config.json`, `inputs.safetensors`, `weights.safetensors`, `expected.safetensors`.
struct ParityFixture {
  struct Config: Decodable {
    struct Vision: Decodable {
      var names: VisionTransformerConfig.TokenNames
      var dim, depth, heads, patch, registers, mlp_ratio, image_height: Int
      var layer_norm_eps: Float
      var position_grid: [Int]
      var pool: ImagePooling
    }
    struct Text: Decodable {
      var n_embd, n_layer, n_head, vocab_size, n_positions, eos_token_id: Int
      var layer_norm_eps: Float
      var scale_attn_by_inverse_layer_idx: Bool
    }
    struct LoRA: Decodable {
      var r: Int
      var alpha: Float
      var dropout: Float
      var target: String
    }
    struct Prompt: Decodable { var num_virtual_tokens: Int }
    struct IA3: Decodable { var output_scaled, input_scaled: String }
    struct Optimizer: Decodable {
      var kind: String
      var learning_rate, min_lr, weight_decay: Double
      var warm_up, max_steps: Int
      var betas: [Double]?
      var eps: Double?
      var momentum: Double?
    }
    struct Check: Decodable { var max_abs, max_err: Double }

    var vit: Vision
    var gpt: Text
    var emb_dim: Int
    var peft: String
    var lora: LoRA?
    var ia3: IA3?
    var prefix, prompt: Prompt?

    /// Settings of the adapter; nil takes the published ones.
    var adapterConfig: (any AdapterConfig)? {
      if let lora {
        return LoRAConfig(
          rank: lora.r, alpha: lora.alpha, dropout: lora.dropout, targetModules: .names([lora.target]))
      }
      if let ia3 {
        return IA3Config(
          targetModules: .names([ia3.output_scaled, ia3.input_scaled]),
          feedForwardModules: .names([ia3.input_scaled]))
      }
      return prefix.map { PrefixTuningConfig(virtualTokenCount: $0.num_virtual_tokens) }
    }
    var freeze_llm, freeze_vit: Bool
    var text_len: Int
    var optimizer: Optimizer
    var trainable: [String]?
    var zero_gradient: [String: [Int]]?
    var f64_check: [String: Check]?
  }

  let folder: String
  let config: Config
  let inputs: SafeTensorsFile
  let weights: any WeightsFile
  let expected: SafeTensorsFile

  /// Opens a fixture; `weights` replaces its `weights.safetensors`, for example by a checkpoint of the same model.
  init(_ folder: String, weights: String? = nil) throws {
    self.folder = folder
    guard FileSystem.isFolder(folder) else {
      throw TrainingError.missing(Problem(folder, found: "no such folder", hint: "Give a fixture folder."))
    }
    let path = folder + "/config.json"
    let data = try FileSystem.read(path)
    do {
      config = try JSONDecoder().decode(Config.self, from: data)
    } catch {
      throw TrainingError.badData(
        Problem(
          path, found: "not the configuration of a fixture (\(error))", hint: "See the fixtures' README."))
    }
    inputs = try SafeTensorsFile(folder + "/inputs.safetensors")
    self.weights = try WeightsFiles.open(weights ?? folder + "/weights.safetensors")
    expected = try SafeTensorsFile(folder + "/expected.safetensors")
  }

  /// Builds the model that the configuration names and fills it with the fixture's weights.
  func makeModel() throws -> DualEncoder {
    let (vit, gpt) = (config.vit, config.gpt)
    guard let grid = vit.position_grid.first else {
      throw TrainingError.badData(
        Problem("\(folder)/config.json: position_grid", found: "empty", expected: "[rows, columns]"))
    }
    let encoder = DualEncoderConfig(
      vision: VisionTransformerConfig(
        hiddenSize: vit.dim, depth: vit.depth, headCount: vit.heads, patchSize: vit.patch,
        registerCount: vit.registers, mlpRatio: vit.mlp_ratio, positionGrid: grid,
        imageSizePixels: vit.image_height, layerNormEpsilon: vit.layer_norm_eps, tokenNames: vit.names),
      text: GPTConfig(
        vocabularySize: gpt.vocab_size, positionCount: gpt.n_positions, hiddenSize: gpt.n_embd,
        depth: gpt.n_layer,
        headCount: gpt.n_head, layerNormEpsilon: gpt.layer_norm_eps,
        scalesAttentionByInverseLayerIndex: gpt.scale_attn_by_inverse_layer_idx,
        endOfTextID: gpt.eos_token_id,
        dropout: 0),
      embeddingSize: config.emb_dim, pooling: vit.pool, pooledToken: .firstPad, captionLength: config.text_len
    )
    let adapter =
      try config.peft == "none" ? nil : AdapterDescription(method: config.peft, config: config.adapterConfig)
    let prompt = config.prompt.map { PromptTuningConfig(virtualTokenCount: $0.num_virtual_tokens) }
    let model = try ModelDescription(encoder: encoder, adapter: adapter, prompt: prompt).makeModel()
    if config.freeze_llm { model.text.model.setTrainable(false) }
    if let prompt {
      model.text.setTrainable(false)
      try prompt.apply(to: model.text.model, startingFrom: nil)
    }
    if config.freeze_vit { model.image.setTrainable(false) }
    let modelKeys = Set(model.cells().map(\.path))
    let translation = KeyMap.translate(weights.entries.keys, modelKeys: modelKeys)
    try model.load(
      from: weights.path, keys: translation.sources.compactMapValues { weights.entries[$0]?.shape }
    ) { try weights.number(translation.sources[$0] ?? $0) }
    return model
  }

  /// Captions without their padding.
  func captions() throws -> [[Int]] {
    let ids = try inputs.integers("caption_ids")
    let mask = try inputs.integers("attention_mask")
    let columns = inputs.entries["caption_ids"]?.shape.last ?? 1
    return (0..<ids.count / columns).map { row in
      (0..<columns).filter { mask[row * columns + $0] != 0 }.map { ids[row * columns + $0] }
    }
  }

  func makeOptimizer(_ model: DualEncoder) -> any Optimizer {
    let settings = config.optimizer
    let parameters = ParameterGroups.published(
      model, weightDecay: settings.weight_decay, decaysLogitScale: true)
    if settings.kind == "sgd" { return SGD(parameters, momentum: settings.momentum ?? 0) }
    return AdamW(
      parameters, beta1: settings.betas?[0] ?? 0.9, beta2: settings.betas?[1] ?? 0.999,
      epsilon: settings.eps ?? 1e-8)
  }
}
