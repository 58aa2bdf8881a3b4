import CleftFormats

extension LoRAConfig {
  private enum CodingKeys: String, CodingKey {
    case rank = "r"
    case alpha = "lora_alpha"
    case dropout = "lora_dropout"
    case targetModules = "target_modules"
    case rankPattern = "rank_pattern"
    case alphaPattern = "alpha_pattern"
    case layersToTransform = "layers_to_transform"
    case usesRankStabilization = "use_rslora"
    case usesDoRA = "use_dora"
    case start = "init_lora_weights"
    case bias
  }

  /// Reads settings; what is left out gets PEFT's default.
  ///
  /// - Throws: `DecodingError` for a setting that would silently be computed otherwise.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      rank: try values.decodeIfPresent(Int.self, forKey: .rank) ?? 8,
      alpha: try values.decodeIfPresent(Float.self, forKey: .alpha) ?? 8,
      dropout: try values.decodeIfPresent(Float.self, forKey: .dropout) ?? 0,
      targetModules: try values.decodeIfPresent(TargetModules.self, forKey: .targetModules),
      rankPattern: try values.decodeIfPresent([String: Int].self, forKey: .rankPattern) ?? [:],
      alphaPattern: try values.decodeIfPresent([String: Float].self, forKey: .alphaPattern) ?? [:],
      layersToTransform: try Self.blocks(values),
      usesRankStabilization: try values.decodeIfPresent(Bool.self, forKey: .usesRankStabilization) ?? false,
      usesDoRA: try values.decodeIfPresent(Bool.self, forKey: .usesDoRA) ?? false,
      start: try Self.start(values))
    let bias = try values.decodeIfPresent(String.self, forKey: .bias) ?? "none"
    if bias != "none" {
      throw DecodingError.dataCorruptedError(
        forKey: .bias, in: values, debugDescription: "bias '\(bias)'; expected none")
    }
    try requireNeutral(unsupportedLoRASettings, decoder)
  }

  /// Writes settings under PEFT's names.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(rank, forKey: .rank)
    try values.encode(alpha, forKey: .alpha)
    try values.encode(dropout, forKey: .dropout)
    try values.encodeIfPresent(targetModules, forKey: .targetModules)
    try values.encode(rankPattern, forKey: .rankPattern)
    try values.encode(alphaPattern, forKey: .alphaPattern)
    try values.encodeIfPresent(layersToTransform, forKey: .layersToTransform)
    try values.encode(usesRankStabilization, forKey: .usesRankStabilization)
    try values.encode(usesDoRA, forKey: .usesDoRA)
    try values.encode("none", forKey: .bias)
    switch start {
    case .kaiming: try values.encode(true, forKey: .start)
    case .random: try values.encode(false, forKey: .start)
    case .gaussian: try values.encode("gaussian", forKey: .start)
    case .pissa(let iterations):
      try values.encode(iterations.map { "pissa_niter_\($0)" } ?? "pissa", forKey: .start)
    }
  }

  /// The start that PEFT's `init_lora_weights` names: true, false or a word.
  public static func start(named name: String) -> Start? {
    switch name {
    case "true": return .kaiming
    case "false": return .random
    case "gaussian": return .gaussian
    case "pissa": return .pissa(iterations: nil)
    default:
      guard name.hasPrefix("pissa_niter_"), let count = Int(name.dropFirst("pissa_niter_".count)),
        (1...1000).contains(count)
      else { return nil }
      return .pissa(iterations: count)
    }
  }

  private static func start(_ values: KeyedDecodingContainer<CodingKeys>) throws -> Start {
    if let flag = try? values.decodeIfPresent(Bool.self, forKey: .start) { return flag ? .kaiming : .random }
    guard let name = try values.decodeIfPresent(String.self, forKey: .start) else { return .kaiming }
    if let start = start(named: name) { return start }
    throw DecodingError.dataCorruptedError(
      forKey: .start, in: values,
      debugDescription: "init_lora_weights '\(name)'; expected true, false, gaussian, pissa or pissa_niter_N")
  }

  private static func blocks(_ values: KeyedDecodingContainer<CodingKeys>) throws -> [Int]? {
    if let single = try? values.decodeIfPresent(Int.self, forKey: .layersToTransform) { return [single] }
    return try values.decodeIfPresent([Int].self, forKey: .layersToTransform)
  }
}

/// PEFT's settings of LoRA that would change the numbers and are not computed here.
let unsupportedLoRASettings = [
  "modules_to_save", "exclude_modules", "layer_replication", "lora_bias", "use_qalora", "use_bdlora",
  "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "arrow_config",
]

private struct AnyKey: CodingKey {
  let stringValue: String
  let intValue: Int? = nil
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// Fails if one of the fields is set to anything but null, false or empty: it would be computed otherwise than meant.
func requireNeutral(_ names: [String], _ decoder: any Decoder) throws {
  let values = try decoder.container(keyedBy: AnyKey.self)
  for name in names {
    let key = AnyKey(stringValue: name)
    if try !values.contains(key) || values.decodeNil(forKey: key) { continue }
    if let flag = try? values.decode(Bool.self, forKey: key), !flag { continue }
    if let list = try? values.decode([String].self, forKey: key), list.isEmpty { continue }
    if let map = try? values.decode([String: String].self, forKey: key), map.isEmpty { continue }
    throw DecodingError.dataCorruptedError(
      forKey: key, in: values, debugDescription: "\(name) is set; this setting is not supported")
  }
}
