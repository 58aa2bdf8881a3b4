import ArgumentParser
import CleftAdapters
import CleftFormats

/// Which adapters, with which settings.
struct AdapterOptions: ParsableArguments {
  @Option(
    help: .value(
      "method",
      """
      Adapter of the text tower: \(AdapterCatalog.all.map(\.name).joined(separator: ", ")). Default: none, the whole \
      tower is trained.
      """, AdapterCatalog.all.map { "\($0.name): \($0.summary)" }.joined(separator: "; ") + "."))
  var peft: String?

  @Option(
    help: .value(
      "method",
      "Adapter of the image tower, whose base is frozen: a method of --peft for linear layers. Default: none."
    ))
  var img_peft: String?

  @Option(help: .value("folder", "PEFT's folder of an adapter to put on the text tower. Default: none."))
  var adapter: String?

  @Option(
    help: .value("rank", "Rank of LoRA and its variants, at least 1. Default: 8, of AdaLoRA at the end 8."))
  var lora_r: Int?

  @Option(
    help: .value(
      "alpha",
      "LoRA's correction is scaled by alpha / rank; above 0. Default: 32, of AdaLoRA and PiSSA 8."))
  var lora_alpha: Float?

  @Option(
    help: .value(
      "fraction", "Dropout on LoRA's input in training, 0 ..< 1. Default: 0.1, of AdaLoRA and PiSSA 0."))
  var lora_dropout: Float?

  @Option(
    help: .value(
      "layers",
      "Layers to adapt: ends of paths, separated by commas, or all-linear. Default: as PEFT for the model."))
  var target_modules: String?

  @Flag(help: "Scale LoRA's correction by alpha / √rank (rsLoRA).")
  var use_rslora = false

  @Option(
    help: .value(
      "start",
      """
      Start of LoRA's factors: true (zero correction), gaussian, pissa, pissa_niter_N, false (random). Default: true, \
      of --peft pissa pissa.
      """))
  var init_lora_weights: String?

  @Option(help: .value("positions", "Virtual positions of --peft prefix, at least 1. Default: 20."))
  var num_virtual_tokens: Int?

  @Flag(help: "Compute the prefix from narrower vectors by two trained layers.")
  var prefix_projection = false

  @Flag(
    help: "AdaLoRA in full: reallocate ranks and add the orthogonality term; as published it does neither.")
  var adalora_allocate = false

  mutating func validate() throws {
    if let lora_dropout, !(lora_dropout >= 0 && lora_dropout < 1) {
      throw ValidationError("--lora_dropout is \(lora_dropout); expected 0 ..< 1.")
    }
    if let lora_r, lora_r < 1 { throw ValidationError("--lora_r is \(lora_r); expected at least 1.") }
    if let lora_alpha, !lora_alpha.isFinite || lora_alpha <= 0 {
      throw ValidationError("--lora_alpha is \(lora_alpha); expected a number above 0.")
    }
    if let num_virtual_tokens {
      try requireOption(
        num_virtual_tokens >= 1, "num_virtual_tokens", num_virtual_tokens, "at least 1")
    }
    if let init_lora_weights, LoRAConfig.start(named: init_lora_weights) == nil {
      throw ValidationError(
        "--init_lora_weights is '\(init_lora_weights)'; expected true, false, gaussian, pissa or pissa_niter_N."
      )
    }
  }

  /// The text tower's adapter with its settings, nil for none.
  func textAdapter(totalSteps: Int?) throws -> AdapterDescription? {
    try peft.map { try description($0, totalSteps) }
  }

  /// The image tower's adapter with its settings, nil for none.
  func imageAdapter(totalSteps: Int?) throws -> AdapterDescription? {
    guard let img_peft else { return nil }
    if try AdapterCatalog.named(img_peft, option: "--img_peft").defaultConfig is PrefixTuningConfig {
      throw AdapterError.badSetting(
        Problem("--img_peft", found: "prefix", expected: "a method for linear layers"))
    }
    var plain = self
    // Beside a text adapter the names are those of the text tower's layers.
    if peft != nil { plain.target_modules = nil }
    return try plain.description(img_peft, totalSteps)
  }

  private var targets: TargetModules? {
    target_modules.map { list in
      list == "all-linear" || list.contains(where: "*^$()[]|\\".contains)
        ? .pattern(list) : .names(list.split(separator: ",").map(String.init))
    }
  }

  /// Settings of an adapter, and whether they were given.
  var settings: [(name: String, isGiven: Bool)] {
    [
      ("--lora_r", lora_r != nil), ("--lora_alpha", lora_alpha != nil),
      ("--lora_dropout", lora_dropout != nil),
      ("--target_modules", target_modules != nil), ("--use_rslora", use_rslora),
      ("--init_lora_weights", init_lora_weights != nil), ("--num_virtual_tokens", num_virtual_tokens != nil),
      ("--prefix_projection", prefix_projection),
    ]
  }

  /// Fails for settings of an adapter where there is none.
  func requireMethod() throws {
    guard peft == nil, img_peft == nil else { return }
    for setting in settings where setting.isGiven {
      throw AdapterError.badSetting(
        Problem(setting.name, found: "without an adapter to set", expected: "--peft or --img_peft with it"))
    }
  }

  /// Fails for a setting that the method does not have.
  private func requireMeaning(_ description: AdapterDescription) throws {
    let (isLoRA, isAdaLoRA) = (description.config is LoRAConfig, description.config is AdaLoRAConfig)
    let isPrefix = description.config is PrefixTuningConfig
    // With two adapters a setting may be meant for the other one.
    if peft != nil && img_peft != nil { return }
    let settings: [(name: String, isGiven: Bool, isMeant: Bool)] = [
      ("--lora_r", lora_r != nil, isLoRA || isAdaLoRA),
      ("--lora_alpha", lora_alpha != nil, isLoRA || isAdaLoRA),
      ("--lora_dropout", lora_dropout != nil, isLoRA || isAdaLoRA), ("--use_rslora", use_rslora, isLoRA),
      ("--init_lora_weights", init_lora_weights != nil, isLoRA),
      ("--target_modules", target_modules != nil, !isPrefix),
      ("--num_virtual_tokens", num_virtual_tokens != nil, isPrefix),
      ("--prefix_projection", prefix_projection, isPrefix),
      ("--adalora_allocate", adalora_allocate, isAdaLoRA),
    ]
    for setting in settings where setting.isGiven && !setting.isMeant {
      throw AdapterError.badSetting(
        Problem(setting.name, found: "with \(description.method)", expected: "a method that has it"))
    }
  }

  private func description(_ method: String, _ totalSteps: Int?) throws -> AdapterDescription {
    var description = try AdapterDescription(method: method)
    try requireMeaning(description)
    switch description.config {
    case var config as LoRAConfig:
      config.rank = lora_r ?? config.rank
      config.alpha = lora_alpha ?? config.alpha
      config.dropout = lora_dropout ?? config.dropout
      config.targetModules = targets
      config.usesRankStabilization = use_rslora
      config.start = init_lora_weights.flatMap(LoRAConfig.start(named:)) ?? config.start
      description.config = config
    case var config as AdaLoRAConfig:
      config.targetRank = lora_r ?? config.targetRank
      config.initialRank = max(config.initialRank, config.targetRank * 3 / 2)
      config.alpha = lora_alpha ?? config.alpha
      config.dropout = lora_dropout ?? config.dropout
      config.targetModules = targets
      config.totalSteps = totalSteps
      config.allocates = adalora_allocate
      description.config = config
    case var config as IA3Config:
      config.targetModules = targets
      description.config = config
    case var config as PrefixTuningConfig:
      config.virtualTokenCount = num_virtual_tokens ?? config.virtualTokenCount
      config.isProjected = prefix_projection
      description.config = config
    default: break
    }
    return description
  }
}
