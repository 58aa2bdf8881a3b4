/// Published and shipped sizes by name.
///
/// A new size is one line here.
public enum ModelCatalog {
  /// An image tower of a known size, with where its weights come from.
  public struct ImageEntry: Sendable {
    /// Sizes and numerics.
    public let config: any ImageTowerConfig
    /// Names under which the weights are looked for: a path, or a file in torch hub's cache.
    public let files: [String]
    /// What stands in front of the tower's keys in the file.
    public var keyPrefix = ""
    /// Whether the published program takes from the file what fits and leaves the rest, as it does for the baselines.
    public var isPartial = false
    /// The command that fetches the weights, or where they come from.
    public let fetch: String
  }

  /// A text tower of a known size, with where its weights come from.
  public struct TextEntry: Sendable {
    /// Sizes and numerics.
    public let config: any TextTowerConfig
    /// Value of `--llm_type`.
    public let llmType: String
    /// The command that fetches the weights.
    public let fetch: String
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
    "paper-llama": DualEncoderConfig(vision: dinov2(768, 12, 12, registers: 4), text: meditron),
  ]

  /// Image towers for `--img_encoder`.
  public static let imageTowers: [String: ImageEntry] = [
    "dinov2_vits14": hub("dinov2_vits14", dinov2(384, 12, 6, registers: 0)),
    "dinov2_vits14_reg": hub("dinov2_vits14_reg", dinov2(384, 12, 6, registers: 4)),
    "dinov2_vitb14": hub("dinov2_vitb14", dinov2(768, 12, 12, registers: 0)),
    "dinov2_vitb14_reg": hub("dinov2_vitb14_reg", dinov2(768, 12, 12, registers: 4)),
    "dinov2_vitl14": hub("dinov2_vitl14", dinov2(1024, 24, 16, registers: 0)),
    "dinov2_vitl14_reg": hub("dinov2_vitl14_reg", dinov2(1024, 24, 16, registers: 4)),
    "dinov2_vitg14": hub("dinov2_vitg14", dinov2(1536, 40, 24, registers: 0, feedForward: .swiglu)),
    "dinov2_vitg14_reg": hub("dinov2_vitg14_reg", dinov2(1536, 40, 24, registers: 4, feedForward: .swiglu)),
  ]

  /// Image towers for `--img_encoder` with `--baseline_vit`.
  public static let baselineTowers: [String: ImageEntry] = [
    "mrm": ImageEntry(
      config: classicViT(output: .patchMean, dropPath: 0.1), files: ["pretrained/MRM.pth"], isPartial: true,
      fetch: "MRM's authors publish MRM.pth"),
    "mgca": ImageEntry(
      config: classicViT(output: .normalizedTokens), files: ["pretrained/mgca_vit_base_only.ckpt"],
      isPartial: true,
      fetch: "MGCA's authors publish the checkpoint its image tower is cut from"),
    "gloria": ImageEntry(
      config: ResNetConfig(), files: ["pretrained/chexpert_resnet50.ckpt"],
      keyPrefix: "gloria.img_encoder.model.", isPartial: true,
      fetch: "GLoRIA's authors publish chexpert_resnet50.ckpt"),
    "medclip": ImageEntry(
      config: SwinConfig(), files: ["pretrained/medclip-vit/pytorch_model.bin"],
      keyPrefix: "vision_model.model.", isPartial: true,
      fetch: "the MedCLIP package fetches medclip-vit-pretrained.zip"),
    "vit_base": ImageEntry(
      config: MaskedAutoencoderConfig(), files: ["deit_base_patch16_224-b5f2ef4d.pth"], isPartial: true,
      fetch: "DeiT's release has deit_base_patch16_224-b5f2ef4d.pth; torch hub keeps it under that name"),
  ]

  /// Text towers for `--text_model`.
  public static let textTowers: [String: TextEntry] = [
    "stanford-crfm/BioMedLM": published("stanford-crfm/BioMedLM", "gpt", bioMedLM),
    "epfl-llm/meditron-7b": published("epfl-llm/meditron-7b", "llama", meditron),
    "emilyalsentzer/Bio_ClinicalBERT": published(
      "emilyalsentzer/Bio_ClinicalBERT", "bert",
      BertConfig(vocabularySize: 28996, hiddenSize: 768, depth: 12, headCount: 12, segmentCount: 0)),
  ]

  /// Kinds of text towers and the published one of each.
  public static let textTowerByKind: [String: String] = [
    "gpt": "stanford-crfm/BioMedLM", "llama": "epfl-llm/meditron-7b",
    "bert": "emilyalsentzer/Bio_ClinicalBERT",
  ]

  private static let bioMedLM = GPTConfig(
    vocabularySize: 28896, positionCount: 1024, hiddenSize: 2560, depth: 32, headCount: 20,
    scalesAttentionByInverseLayerIndex: true, endOfTextID: 28895)

  private static let meditron = LlamaConfig(
    vocabularySize: 32017, positionCount: 2048, hiddenSize: 4096, feedForwardSize: 11008, depth: 32,
    headCount: 32)

  private static func published(_ name: String, _ kind: String, _ config: any TextTowerConfig) -> TextEntry {
    TextEntry(config: config, llmType: kind, fetch: "huggingface-cli download \(name)")
  }

  private static func dinov2(
    _ width: Int, _ depth: Int, _ heads: Int, registers: Int, grid: Int = 37,
    feedForward: VisionTransformerConfig.FeedForward = .mlp
  ) -> VisionTransformerConfig {
    VisionTransformerConfig(
      hiddenSize: width, depth: depth, headCount: heads, registerCount: registers, feedForward: feedForward,
      positionGrid: grid, imageSizePixels: 224)
  }

  /// The baselines' ViT-B/16.
  private static func classicViT(
    output: VisionTransformerConfig.Output, dropPath: Float = 0
  ) -> VisionTransformerConfig {
    VisionTransformerConfig(
      hiddenSize: 768, depth: 12, headCount: 12, patchSize: 16, registerCount: 0, usesLayerScale: false,
      dropPath: dropPath, output: output, positionGrid: 14, imageSizePixels: 224, tokenNames: .classic)
  }

  private static func hub(_ name: String, _ config: VisionTransformerConfig) -> ImageEntry {
    let stem = name.replacing("_reg", with: "")
    let file = stem + (config.registerCount > 0 ? "_reg4" : "") + "_pretrain.pth"
    return ImageEntry(
      config: config, files: [file],
      fetch: "python -c \"import torch; torch.hub.load('facebookresearch/dinov2', '\(name)')\"")
  }
}
