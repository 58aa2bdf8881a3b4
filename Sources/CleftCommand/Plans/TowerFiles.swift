import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// Where the values of a new model come from: nowhere (`--model`), or weight files of the two towers.
struct TowerFiles {
  let options: ModelOptions
  let quirks: Quirks
  private let image: ImageSource?
  private let textFolder: String?

  /// An image tower's weights with what is known of it.
  private struct ImageSource {
    let file: any WeightsFile
    let entry: ModelCatalog.ImageEntry?
  }

  /// Finds the files that the options name.
  ///
  /// - Parameter needsText: off looks for the image tower alone.
  /// - Throws: `TrainingError.missing` with the command that fetches what is not there.
  init(options: ModelOptions, quirks: Quirks, needsText: Bool = true) throws {
    self.options = options
    self.quirks = quirks
    if let name = options.model {
      try Self.requireNoOtherTowers(name, options, needsText: needsText)
      (image, textFolder) = (nil, nil)
      return
    }
    image = try Self.imageSource(options)
    textFolder = needsText ? try Self.textFolder(options) : nil
  }

  /// `--model` names both towers; an option that names another one is an error, not passed over.
  private static func requireNoOtherTowers(
    _ name: String, _ options: ModelOptions, needsText: Bool
  ) throws(TrainingError) {
    let image: [(name: String, isGiven: Bool)] = [
      ("--img_encoder", options.img_encoder != nil), ("--baseline_vit", options.baseline_vit),
      ("--img_heads", options.img_heads != nil),
    ]
    let text: [(name: String, isGiven: Bool)] = [
      ("--text_model", options.text_model != nil),
      ("--llm_type \(options.llm_type)", options.llm_type != "gpt"),
      ("--text_layers", options.text_layers != nil),
    ]
    for option in image + (needsText ? text : []) where option.isGiven {
      throw .badConfiguration(
        Problem(
          option.name, found: "with --model \(name), which has its own towers", expected: "one of the two",
          hint: "Leave --model out to take the towers of --img_encoder and --text_model."))
    }
  }

  /// The name or path of the image tower.
  static func imageName(_ options: ModelOptions) -> String {
    options.img_encoder ?? (options.llm_type == "bert" ? "vit_base" : "dinov2_vitb14_reg")
  }

  private static func imageSource(_ options: ModelOptions) throws -> ImageSource {
    let name = imageName(options)
    let catalog = options.baseline_vit ? ModelCatalog.baselineTowers : ModelCatalog.imageTowers
    if options.baseline_vit, catalog[name] == nil {
      throw TrainingError.badConfiguration(
        Problem(
          "--img_encoder", found: "'\(name)' with --baseline_vit",
          expected: "one of \(catalog.keys.sorted().joined(separator: ", "))"))
    }
    let entry = catalog[name] ?? ModelCatalog.baselineTowers[name]
    let candidates = [name] + (entry?.files ?? [])
    let path = try find("--img_encoder", name, candidates, options, fetch: entry?.fetch)
    return ImageSource(file: try WeightsFiles.open(path), entry: entry)
  }

  /// The folder of the text tower.
  static func textFolder(_ options: ModelOptions) throws -> String {
    let name = options.text_model ?? ModelCatalog.textTowerByKind[options.llm_type] ?? ""
    return try find("--text_model", name, [name], options, fetch: ModelCatalog.textTowers[name]?.fetch)
  }

  /// Looks for files by path, in `--model_dir` and in the caches of the tools that download them.
  private static func find(
    _ option: String, _ name: String, _ candidates: [String], _ options: ModelOptions, fetch: String?
  ) throws -> String {
    for candidate in candidates {
      if FileSystem.exists(candidate) { return candidate }
      if let folder = options.model_dir, FileSystem.exists("\(folder)/\(candidate)") {
        return "\(folder)/\(candidate)"
      }
      if let cached = HubCache.locate(candidate) { return cached }
    }
    let hint = fetch.map { fetch in
      fetch.hasPrefix("python") || fetch.hasPrefix("huggingface-cli")
        ? "Fetch it with: \(fetch) — it is then found by its name; or start from random values with --model tiny."
        : "\(fetch); put it there, or below --model_dir."
    }
    let places = options.model_dir.map { "here, in \($0) " } ?? "here "
    throw TrainingError.missing(
      Problem(
        "\(option) \(name)",
        found: "nothing \(places)or in the caches of Hugging Face and torch hub",
        expected: "a weights file or a folder with one",
        hint: hint ?? "Check the path, or start from random values with --model tiny."))
  }

  /// Shapes of the pair.
  func config() throws -> DualEncoderConfig {
    if let pair = try namedPair() { return pair }
    guard let textFolder else { preconditionFailure("tower files: no model and no files") }
    let text = try Self.fitted(Self.textConfig(textFolder), textFolder, options, quirks)
    return DualEncoderConfig(vision: try imageConfig(), text: text)
  }

  /// Shapes of the image tower.
  func imageConfig() throws -> any ImageTowerConfig {
    if let pair = try namedPair() { return pair.vision }
    guard let image else { preconditionFailure("tower files: no model and no files") }
    return try imageConfig(image)
  }

  /// The pair that `--model` names.
  private func namedPair() throws -> DualEncoderConfig? {
    guard let name = options.model else { return nil }
    if let config = ModelCatalog.pairs[name] { return config }
    throw TrainingError.badConfiguration(
      Problem(
        "--model", found: "'\(name)'",
        expected: "one of \(ModelCatalog.pairs.keys.sorted().joined(separator: ", "))"))
  }

  /// A text tower's configuration as the options want it: its kind checked, its depth cut, BERT as the baseline has it.
  static func fitted(
    _ config: any TextTowerConfig, _ textFolder: String, _ options: ModelOptions, _ quirks: Quirks
  ) throws -> any TextTowerConfig {
    var text = config
    let kind = ModelCatalog.textTowerByKind.first { name, published in
      name == options.llm_type
        && ModelCatalog.textTowers[published].map { type(of: $0.config) == type(of: text) } == true
    }
    if kind == nil, options.llm_type != "gpt" {
      throw TrainingError.badConfiguration(
        Problem(
          "--llm_type", found: options.llm_type,
          expected: "the kind of \(textFolder), \(type(of: text).modelType)"))
    }
    if var bert = text as? BertConfig, options.llm_type == "bert" {
      // The published baseline leaves the segment table out.
      bert.segmentCount = 0
      bert.readsAllAtPositionZero = quirks.has(.bertPositionZero)
      text = bert
    }
    let blocks = options.text_layers ?? (options.llm_type == "bert" ? min(6, text.depth) : text.depth)
    guard blocks <= text.depth else {
      throw TrainingError.badConfiguration(
        Problem("--text_layers", found: "\(blocks)", expected: "at most the \(text.depth) of \(textFolder)"))
    }
    text.depth = blocks
    return text
  }

  private func imageConfig(_ image: ImageSource) throws -> any ImageTowerConfig {
    let known = image.entry?.config
    if var baseline = known as? MaskedAutoencoderConfig {
      baseline.usesPublishedFrequencies = quirks.has(.sineFrequencies)
      return baseline
    }
    return try known ?? VisionTransformerConfig.inferred(from: image.file, headCount: options.img_heads)
  }

  /// Sizes of a text tower from its folder's `config.json`.
  static func textConfig(_ folder: String) throws -> any TextTowerConfig {
    let path = folder + "/config.json"
    let data = try FileSystem.read(path)
    do {
      let config = try JSONDecoder().decode(TextTowerFile.self, from: data).config
      guard let contradiction = config.contradiction else { return config }
      throw TrainingError.badData(Problem(path, found: contradiction))
    } catch let error as TrainingError {
      throw error
    } catch let DecodingError.dataCorrupted(context) {
      throw TrainingError.badData(Problem(path, found: context.debugDescription))
    } catch let DecodingError.keyNotFound(key, _) {
      throw TrainingError.badData(
        Problem(
          path, found: "no '\(key.stringValue)'", expected: "Hugging Face's config.json of a language model"))
    } catch {
      throw TrainingError.badData(
        Problem(path, found: "not a configuration (\(error))", expected: "Hugging Face's config.json"))
    }
  }

  /// The tokenizer and the text of its file.
  func tokenizer(vocabularySize: Int) throws -> any Tokenizer {
    let tokenizer: any Tokenizer
    if let path = options.tokenizer ?? textFolder {
      tokenizer = try TokenizerFiles.read(path)
    } else if options.model == "tiny" {
      tokenizer = DefaultVocabulary.tokenizer
    } else {
      throw TrainingError.missing(
        Problem(
          "--tokenizer", found: "nothing", expected: "a tokenizer file or folder",
          hint: "Make one with 'cleft tokenizer train', or use --model tiny, which has one."))
    }
    try Self.requireFit(tokenizer, vocabularySize)
    return tokenizer
  }

  /// Fails if a tokenizer has ids that the token table lacks.
  static func requireFit(_ tokenizer: any Tokenizer, _ vocabularySize: Int) throws(TrainingError) {
    guard tokenizer.vocabularySize <= vocabularySize else {
      throw TrainingError.badConfiguration(
        Problem(
          "--tokenizer", found: "\(tokenizer.vocabularySize) ids",
          expected: "at most the model's \(vocabularySize)", hint: "Use the text tower's own tokenizer."))
    }
  }

  /// Fills the towers with the files' values; heads and temperature keep their start values.
  ///
  /// - Returns: one line for every key that was not used or not found, with the reason.
  func load(into encoder: DualEncoder) throws -> [String] {
    guard let textFolder else { return [] }
    let notes = try load(into: encoder.image.model, encoder.config.vision)
    let blocks = encoder.text.model.names.blocks
    let unused = (encoder.config.text.depth..<256).flatMap { index in
      [blocks, String(blocks.drop { $0 != "." }.dropFirst()), "bert." + blocks].map {
        (prefix: "\($0).\(index).", reason: "blocks behind the \(encoder.config.text.depth) in use")
      }
    }
    return notes
      + (try Self.load(
        try WeightsFiles.open(textFolder), into: encoder.text.model, ignored: unused,
        isStrict: !options.non_strict))
  }

  /// Fills an image tower with the file's values.
  ///
  /// - Returns: one line for every key that was not used or not found, with the reason.
  func load(into tower: any ImageTower, _ config: any ImageTowerConfig) throws -> [String] {
    guard let image else { return [] }
    return try Self.load(
      image.file, into: tower, prefix: image.entry?.keyPrefix ?? "", ignored: type(of: config).ignoredKeys,
      isStrict: !options.non_strict && image.entry?.isPartial != true)
  }

  /// Fills one tower with the values of its own file.
  ///
  /// - Returns: one line for every key that was left out, with the reason.
  static func load(
    _ file: any WeightsFile, into tower: any Module, prefix: String = "",
    ignored: [(prefix: String, reason: String)] = [], isStrict: Bool = true
  ) throws -> [String] {
    let translation = KeyMap.translateTower(file.entries.keys, tower: tower, prefix: prefix, ignored: ignored)
    if !isStrict, translation.sources.keys.allSatisfy({ key in !tower.cells().contains { $0.path == key } }) {
      throw TrainingError.badData(
        Problem(file.path, found: "no tensor of this tower", expected: "at least some, named as the tower's"))
    }
    let report = try tower.load(
      from: file.path, keys: translation.sources.compactMapValues { file.entries[$0]?.shape },
      types: { file.entries[translation.sources[$0] ?? $0]?.dtype },
      isStrict: isStrict, optional: { $0 == "mask_token" || $0.hasSuffix("num_batches_tracked") },
      origin: { file.origin(of: translation.sources[$0] ?? $0) }
    ) { try file.number(translation.sources[$0] ?? $0) }
    return report.missing.map { "\(file.path): \($0): missing, keeps its start value" }
      + report.unexpected.map { "\(file.path): \(translation.sources[$0] ?? $0): not used" }
      + (isStrict ? [] : translation.ignored.map { "\(file.path): \($0.key): not used (\($0.reason))" })
  }
}
