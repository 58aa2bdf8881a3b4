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
  private let image: (any WeightsFile)?
  private let textFolder: String?

  /// Finds the files that the options name.
  ///
  /// - Throws: `TrainingError.missing` with the command that fetches what is not there.
  init(options: ModelOptions) throws {
    self.options = options
    if options.model != nil {
      (image, textFolder) = (nil, nil)
      return
    }
    let imagePath = try Self.find(
      "--img_encoder", options.img_encoder, fetch: ModelCatalog.imageTowers[options.img_encoder]?.fetchCommand
    )
    image = try WeightsFiles.open(Self.weights(in: imagePath))
    textFolder = try Self.find(
      "--text_model", options.text_model, fetch: ModelCatalog.textTowers[options.text_model]?.fetchCommand)
  }

  private static func find(_ option: String, _ name: String, fetch: String?) throws -> String {
    if FileSystem.exists(name) { return name }
    let hint = fetch.map {
      "Fetch it with: \($0) — then pass its path; or start from random values with --model tiny."
    }
    throw TrainingError.missing(
      Problem(
        "\(option) \(name)", found: "no such file or folder", expected: "a weights file or a folder with one",
        hint: hint ?? "Check the path, or start from random values with --model tiny."))
  }

  /// The weights file that a path means: itself, or the usual name in a folder.
  private static func weights(in path: String) -> String {
    if !FileSystem.isFolder(path) { return path }
    let names = ["model.safetensors", "pytorch_model.bin"]
    return path + "/" + (names.first { FileSystem.exists("\(path)/\($0)") } ?? names[0])
  }

  /// Shapes of the pair.
  func config() throws -> DualEncoderConfig {
    if let name = options.model {
      guard let config = ModelCatalog.pairs[name] else {
        throw TrainingError.badConfiguration(
          Problem(
            "--model", found: "'\(name)'",
            expected: "one of \(ModelCatalog.pairs.keys.sorted().joined(separator: ", "))"))
      }
      return config
    }
    guard let image, let textFolder else { preconditionFailure("tower files: no model and no files") }
    let path = textFolder + "/config.json"
    let data = try FileSystem.read(path)
    let text: GPTConfig
    do {
      text = try JSONDecoder().decode(GPTConfig.self, from: data)
    } catch let DecodingError.dataCorrupted(context) {
      throw TrainingError.badData(Problem(path, found: context.debugDescription))
    } catch {
      throw TrainingError.badData(
        Problem(path, found: "no GPT-2 configuration", expected: "Hugging Face's config.json"))
    }
    let vision =
      try ModelCatalog.imageTowers[options.img_encoder]?.config
      ?? VisionTransformerConfig.inferred(from: image, headCount: options.img_heads)
    return DualEncoderConfig(vision: vision, text: text)
  }

  /// The tokenizer and the text of its file.
  func tokenizer(vocabularySize: Int) throws -> (ByteLevelBPE, String) {
    let path = options.tokenizer ?? textFolder
    let loaded: (ByteLevelBPE, String)
    if let path {
      let tokenizer = try TokenizerFiles.read(path)
      loaded = (tokenizer, tokenizer.tokenizerJSON)
    } else if options.model == "tiny" {
      loaded = (DefaultVocabulary.tokenizer, DefaultVocabulary.tokenizer.tokenizerJSON)
    } else {
      throw TrainingError.missing(
        Problem(
          "--tokenizer", found: "nothing", expected: "a tokenizer file or folder",
          hint: "Make one with 'cleft tokenizer train', or use --model tiny, which has one."))
    }
    guard loaded.0.vocabularySize <= vocabularySize else {
      throw TrainingError.badConfiguration(
        Problem(
          "--tokenizer", found: "\(loaded.0.vocabularySize) ids",
          expected: "at most the model's \(vocabularySize)",
          hint: "Use the text tower's own tokenizer."))
    }
    return loaded
  }

  /// Fills the towers with the files' values; heads and temperature keep their start values.
  func load(into encoder: DualEncoder) throws {
    guard let image, let textFolder else { return }
    try Self.load(image, into: encoder.image.model, prefix: "")
    let file = try WeightsFiles.open(Self.weights(in: textFolder))
    let hasPrefix = file.entries.keys.contains { $0.hasPrefix("transformer.") }
    try Self.load(file, into: encoder.text.model, prefix: hasPrefix ? "" : "transformer.")
  }

  private static func load(_ file: any WeightsFile, into module: any Module, prefix: String) throws {
    let own = Set(module.cells().map(\.path))
    var keys: [String: Shape] = [:]
    for (key, entry) in file.entries {
      let name = prefix + key
      // Language-model head and mask buffers have no use here.
      if !own.contains(name),
        key == "lm_head.weight" || key.hasSuffix(".attn.bias") || key.hasSuffix(".attn.masked_bias")
      {
        continue
      }
      keys[name] = entry.shape
    }
    try module.load(from: file.path, keys: keys, optional: { $0 == "mask_token" }) {
      try file.tensor(String($0.dropFirst(prefix.count)))
    }
  }
}

extension VisionTransformerConfig {
  /// Sizes read off the shapes of a DINOv2 weights file.
  ///
  /// - Parameter headCount: shapes do not tell it; nil takes the published head width of 64 at the published widths.
  static func inferred(from file: any WeightsFile, headCount: Int?) throws -> VisionTransformerConfig {
    func shape(_ key: String) throws -> Shape {
      guard let entry = file.entries[key] else {
        throw TrainingError.badData(
          Problem("\(file.path): \(key)", found: "missing", expected: "a DINOv2 image tower"))
      }
      guard entry.shape.rank > 0, entry.shape.count > 0 else {
        throw TrainingError.badData(Problem("\(file.path): \(key)", found: "an empty shape"))
      }
      return entry.shape
    }
    let isHub = file.entries["register_tokens"] != nil || file.entries["mask_token"] != nil
    let width = try shape("cls_token").last
    let rows = try shape("pos_embed").count / width - (isHub ? 1 : 0)
    let depth = (0..<1000).first { file.entries["blocks.\($0).norm1.weight"] == nil } ?? 0
    let grid = Int(Double(rows).squareRoot().rounded())
    let patch = try shape("patch_embed.proj.weight").last
    guard let heads = headCount ?? ([384, 768, 1024, 1536].contains(width) ? width / 64 : nil) else {
      throw TrainingError.badConfiguration(
        Problem(
          "--img_encoder \(file.path)", found: "an image tower of width \(width)",
          expected: "--img_heads, which a weights file does not tell"))
    }
    let registers = file.entries["register_tokens"] ?? file.entries["reg_token"]
    return VisionTransformerConfig(
      hiddenSize: width, depth: depth, headCount: heads, patchSize: patch,
      registerCount: registers.map { $0.shape.count / width } ?? 0,
      mlpRatio: try shape("blocks.0.mlp.fc1.weight")[0] / width, positionGrid: grid,
      imageSizePixels: 16 * patch,
      tokenNames: isHub ? .hub : .timm)
  }
}
