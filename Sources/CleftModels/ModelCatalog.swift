/// Published and shipped sizes by name.
///
/// A new size is one line here.
public enum ModelCatalog {
  /// One image tower or text tower of a known size, with where its weights come from.
  public struct Entry<Config: Sendable>: Sendable {
    /// Sizes and numerics.
    public let config: Config
    /// The command that fetches published weights; nil for sizes that start from random values.
    public let fetchCommand: String?
  }

  /// Pairs for `--model`.
  public static let pairs: [String: DualEncoderConfig] = [
    "tiny": DualEncoderConfig(
      vision: VisionTransformerConfig(
        hiddenSize: 128, depth: 4, headCount: 4, positionGrid: 8, imageSizePixels: 112,
        initializerRange: 0.06),
      text: GPTConfig(
        vocabularySize: 512, positionCount: 128, hiddenSize: 128, depth: 2, headCount: 4,
        initializerRange: 0.08),
      embeddingSize: 128),
    "small": DualEncoderConfig(
      vision: dinov2(384, 12, 6, registers: 4, grid: 16),
      text: GPTConfig(vocabularySize: 50257, positionCount: 1024, hiddenSize: 768, depth: 12, headCount: 12)),
    "base": DualEncoderConfig(
      vision: dinov2(768, 12, 12, registers: 4, grid: 16),
      text: GPTConfig(vocabularySize: 50257, positionCount: 1024, hiddenSize: 1024, depth: 24, headCount: 16)),
    "paper": DualEncoderConfig(vision: dinov2(768, 12, 12, registers: 4), text: bioMedLM),
  ]

  /// Image towers for `--img_encoder`.
  public static let imageTowers: [String: Entry<VisionTransformerConfig>] = [
    "dinov2_vits14": hub("dinov2_vits14", dinov2(384, 12, 6, registers: 0)),
    "dinov2_vits14_reg": hub("dinov2_vits14_reg", dinov2(384, 12, 6, registers: 4)),
    "dinov2_vitb14": hub("dinov2_vitb14", dinov2(768, 12, 12, registers: 0)),
    "dinov2_vitb14_reg": hub("dinov2_vitb14_reg", dinov2(768, 12, 12, registers: 4)),
    "dinov2_vitl14": hub("dinov2_vitl14", dinov2(1024, 24, 16, registers: 0)),
    "dinov2_vitl14_reg": hub("dinov2_vitl14_reg", dinov2(1024, 24, 16, registers: 4)),
  ]

  /// Text towers for `--text_model`.
  public static let textTowers: [String: Entry<GPTConfig>] = [
    "stanford-crfm/BioMedLM": Entry(
      config: bioMedLM, fetchCommand: "huggingface-cli download stanford-crfm/BioMedLM")
  ]

  private static let bioMedLM = GPTConfig(
    vocabularySize: 28896, positionCount: 1024, hiddenSize: 2560, depth: 32, headCount: 20,
    scalesAttentionByInverseLayerIndex: true, endOfTextID: 28895)

  private static func dinov2(
    _ width: Int, _ depth: Int, _ heads: Int, registers: Int, grid: Int = 37
  ) -> VisionTransformerConfig {
    VisionTransformerConfig(
      hiddenSize: width, depth: depth, headCount: heads, registerCount: registers, positionGrid: grid,
      imageSizePixels: 224)
  }

  private static func hub(_ name: String, _ config: VisionTransformerConfig) -> Entry<VisionTransformerConfig>
  {
    Entry(
      config: config,
      fetchCommand: "python -c \"import torch; torch.hub.load('facebookresearch/dinov2', '\(name)')\"")
  }
}
