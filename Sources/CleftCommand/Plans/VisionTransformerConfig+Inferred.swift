import CleftFormats
import CleftModels
import CleftTensor
import CleftTraining

extension VisionTransformerConfig {
  /// Sizes read off the shapes of a vision transformer's weights file.
  ///
  /// - Parameters:
  ///   - prefix: what every key of the tower has in front.
  ///   - headCount: shapes do not tell it; nil takes the published head width of 64 at the published widths.
  static func inferred(
    from file: any WeightsFile, prefix: String = "", headCount: Int?
  ) throws -> VisionTransformerConfig {
    func entry(_ key: String) -> TensorEntry? { file.entries[prefix + key] }
    func shape(_ key: String) throws -> Shape {
      guard let entry = entry(key) else {
        throw TrainingError.badData(
          Problem("\(file.path): \(prefix)\(key)", found: "missing", expected: "a DINOv2 image tower"))
      }
      guard entry.shape.rank > 0, entry.shape.count > 0 else {
        throw TrainingError.badData(Problem("\(file.path): \(prefix)\(key)", found: "an empty shape"))
      }
      return entry.shape
    }
    let width = try shape("cls_token").last
    let stored = max(1, try shape("pos_embed").count / width)
    let hasClassRow =
      Int(Double(stored - 1).squareRoot().rounded()) * Int(Double(stored - 1).squareRoot().rounded())
      == stored - 1
    let isHub = entry("register_tokens") != nil || entry("mask_token") != nil
    let isScaled = entry("blocks.0.ls1.gamma") != nil
    let rows = stored - (hasClassRow ? 1 : 0)
    let patch = try shape("patch_embed.proj.weight").last
    guard let heads = headCount ?? ([384, 768, 1024, 1536].contains(width) ? width / 64 : nil) else {
      throw TrainingError.badConfiguration(
        Problem(
          "--img_encoder \(file.path)", found: "an image tower of width \(width)",
          expected: "--img_heads, which a weights file does not tell"))
    }
    let gated = entry("blocks.0.mlp.w3.weight")
    let inner = try gated?.shape.last ?? shape("blocks.0.mlp.fc1.weight")[0]
    let registers = entry("register_tokens") ?? entry("reg_token")
    return VisionTransformerConfig(
      hiddenSize: width, depth: (0..<1000).first { entry("blocks.\($0).norm1.weight") == nil } ?? 0,
      headCount: heads, patchSize: patch, registerCount: registers.map { $0.shape.count / width } ?? 0,
      feedForwardSize: inner, feedForward: gated == nil ? .mlp : .swiglu, usesLayerScale: isScaled,
      output: entry("fc_norm.weight") == nil ? .tokens : .patchMean,
      positionGrid: Int(Double(rows).squareRoot().rounded()), imageSizePixels: 224 / patch * patch,
      tokenNames: isHub ? .hub : hasClassRow ? .classic : .timm)
  }
}
