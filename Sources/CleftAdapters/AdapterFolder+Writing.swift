import CleftFormats
import CleftNN
import CleftTensor
import Foundation

/// What `adapter_config.json` says about the model an adapter belongs to.
public struct AdapterBase: Sendable {
  /// Name or path of the base model, nil if unknown.
  public var name: String?
  /// `CAUSAL_LM` or `FEATURE_EXTRACTION`.
  public var taskType: String
  /// Channels of a token, as prompt tuning counts them.
  public var tokenSize: Int
  /// Channels of a layer's keys, as prefix tuning counts them.
  public var keySize: Int
  /// Number of blocks.
  public var depth: Int
  /// Number of heads of keys.
  public var headCount: Int

  /// Describes a model.
  public init(
    name: String?, taskType: String, tokenSize: Int, keySize: Int? = nil, depth: Int, headCount: Int
  ) {
    self.name = name
    self.taskType = taskType
    self.tokenSize = tokenSize
    self.keySize = keySize ?? tokenSize
    self.depth = depth
    self.headCount = headCount
  }
}

extension AdapterFolder {
  /// Writes an adapter of a tower as PEFT's `save_pretrained` does.
  ///
  /// - Parameters:
  ///   - tower: the tower with the adapter in it.
  ///   - method: method and settings.
  ///   - name: the adapter's name in the tower.
  public static func write(
    _ tower: any Module, _ method: Method, base: AdapterBase, name: String = "default",
    dtype: DType = .float32,
    into folder: String
  ) throws {
    let settings = try settings(tower, method, base, folder)
    try FileSystem.makeFolder(folder)
    let tensors = tensors(tower, method, name)
    try SafeTensorsWriter.write(
      tensors, metadata: ["format": "pt"], dtype: dtype, to: folder + "/adapter_model.safetensors")
    let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = try JSONSerialization.data(withJSONObject: settings, options: options)
    try FileSystem.write(data + Data("\n".utf8), to: folder + "/adapter_config.json")
  }

  private static func tensors(
    _ tower: any Module, _ method: Method, _ name: String
  ) -> [(key: String, tensor: Tensor)] {
    if case .prompt = method, let host = tower as? any VirtualTokenHost, let table = host.virtualTokens {
      return [("prompt_embeddings", table.cell.value)]
    }
    if let host = tower as? any PrefixHost, let prefix = host.prefix {
      return [("prompt_embeddings", withoutGradients { prefix.table(.evaluation) })]
    }
    return tower.parameters.compactMap { named in
      guard case .adapter(let description) = method, named.path.contains(".\(name)"),
        named.path.contains(description.config.parameterMark)
      else { return nil }
      var key = AdapterKeys.plain(named.path, adapter: name)
      if key.hasSuffix(".lora_magnitude_vector.weight") { key.removeLast(".weight".count) }
      return ("base_model.model." + key, named.cell.value)
    }
  }

  /// The published fields, whatever their values here.
  private static func settings(
    _ tower: any Module, _ method: Method, _ base: AdapterBase, _ folderName: String
  ) throws -> [String: Any] {
    var fields: [String: Any] = [
      "auto_mapping": NSNull(), "base_model_name_or_path": base.name ?? NSNull(), "revision": NSNull(),
      "task_type": base.taskType, "inference_mode": true,
    ]
    let sizes: [String: Any] = [
      "token_dim": base.tokenSize, "num_layers": base.depth, "num_attention_heads": base.headCount,
      "num_transformer_submodules": 1,
    ]
    switch method {
    case .prompt(let config):
      fields.merge(sizes) { $1 }
      fields["peft_type"] = "PROMPT_TUNING"
      fields["num_virtual_tokens"] = config.virtualTokenCount
      fields["prompt_tuning_init"] = "RANDOM"
      fields["prompt_tuning_init_text"] = NSNull()
      fields["tokenizer_name_or_path"] = NSNull()
    case .adapter(let description):
      let config = description.config
      let text = Data(jsonText(description).utf8)
      let own = (try JSONSerialization.jsonObject(with: text) as? [String: Any])?["config"] as? [String: Any]
      fields.merge((own ?? [:]).filter { !$0.key.hasPrefix("cleft_") }) { $1 }
      fields["peft_type"] = type(of: config).peftType
      if case .pissa(.some)? = (config as? LoRAConfig)?.start {
        // PEFT would draw another random decomposition when it reads this.
        throw AdapterError.badSetting(
          Problem(
            folderName, found: "an adapter that started from a random decomposition (pissa_niter)",
            expected: "an exact one, which PEFT can repeat",
            hint: "Use 'cleft merge', or train with --init_lora_weights pissa."))
      }
      if let adalora = config as? AdaLoRAConfig, adalora.totalSteps == nil {
        // PEFT asks for a number even where nothing is trained any more.
        fields["total_step"] = adalora.warmupSteps + adalora.finalSteps + 1
      }
      if config is PrefixTuningConfig {
        fields.merge(sizes) { $1 }
        fields["token_dim"] = base.keySize
        // What is written is the table itself, whatever made it.
        fields["prefix_projection"] = false
        fields["encoder_hidden_size"] = base.keySize
        return fields
      }
      fields["fan_in_fan_out"] = adaptedLayers(in: tower).contains { $0.layer.base.layout == .inOut }
      fields["modules_to_save"] = NSNull()
      let layers = adaptedLayers(in: tower)
      if fields["target_modules"] == nil { fields["target_modules"] = names(layers.map(\.path), in: tower) }
      if config is IA3Config, fields["feedforward_modules"] == nil {
        let scaled = layers.filter { $0.layer.branches.contains { ($0 as? IA3Branch)?.scalesInput == true } }
        fields["feedforward_modules"] = names(scaled.map(\.path), in: tower)
      }
    }
    return fields
  }

  /// Ends of some layers' paths: the last part, or more where that would name other layers too.
  private static func names(_ paths: [String], in tower: any Module) -> [String] {
    let meant = Set(paths)
    let all = linearPaths(in: tower)
    let names = meant.map { path -> String in
      let parts = path.split(separator: ".").map(String.init)
      return (1...parts.count).lazy.map { parts.suffix($0).joined(separator: ".") }.first { ending in
        all.allSatisfy { !isTarget($0, [ending]) || meant.contains($0) }
      } ?? path
    }
    return Set(names).sorted()
  }
}
