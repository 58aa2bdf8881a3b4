import ArgumentParser
import CleftModels

/// Which model, and how it computes.
struct TowerOptions: ParsableArguments {
  @Option(
    help: .value(
      "size",
      """
      Size of a model that starts from random values: \(ModelCatalog.pairs.keys.sorted().joined(separator: ", ")). \
      Default: none, the towers of --img_encoder and --text_model.
      """))
  var model: String?

  @Option(
    help: .value(
      "name",
      """
      Image tower: a published name, or a file of its weights. Default: dinov2_vitb14_reg, with --llm_type bert \
      vit_base.
      """, "Published: \(ModelCatalog.imageTowers.keys.sorted().joined(separator: ", "))."))
  var img_encoder: String?

  @Flag(
    help:
      "--img_encoder names a baseline: \(ModelCatalog.baselineTowers.keys.sorted().joined(separator: ", ")).")
  var baseline_vit = false

  @Option(
    help: .value(
      "heads",
      "Heads of an --img_encoder file, at least 1. Default: DINOv2's for the width, which must be one of its."
    ))
  var img_heads: Int?

  @Option(
    help: .value(
      "name",
      "Text tower: a published name, or a Hugging Face folder with its weights. Default: by --llm_type.",
      "By --llm_type: "
        + ModelCatalog.textTowerByKind.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        .joined(separator: ", ") + "."))
  var text_model: String?

  @Option(help: .value("kind", "Kind of text tower: gpt, llama, bert."))
  var llm_type = "gpt"

  @Option(
    help: .value(
      "blocks",
      "Blocks of the text tower to use, from the first, at least 1. Default: all, with --llm_type bert 6 as published."
    ))
  var text_layers: Int?

  @Option(
    help: .value(
      "folder", "Downloaded weights under their published names, searched before the caches. Default: none."))
  var model_dir: String?

  @Option(
    help: .value(
      "path", "Tokenizer file or folder. Default: the text tower's, with --model tiny the shipped one."))
  var tokenizer: String?

  @Option(
    help: .value("channels", "Width of the shared space, at least 1. Default: the model's, 512 as published.")
  )
  var emb_dim: Int?

  @Flag(help: "Projections are one linear layer instead of two with batch norm.")
  var linear_proj = false

  @Flag(help: "Image feature is the mean of all tokens before the final norm instead of the class token.")
  var pool_feat = false

  @Option(
    help: .value(
      "rule",
      """
      Caption's feature: eos (slot behind its last word), first_pad (published: the same, but position 0 of a full \
      caption), last_word, first. Default: eos.
      """))
  var pool_token: PooledToken?

  @Option(
    help: .value(
      "pixels", "Side of the pictures that the model sees. Default: the model's, 224 as published."))
  var image_size: Int?

  @Option(
    help: .value(
      "factor",
      "Start of the learned temperature, above 0. Default: 0.07 as published, with --loss siglip 0.1."))
  var softmax_temperature: Float?

  @Option(
    help: .value(
      "fraction",
      """
      Share of the patches that a training pass leaves out, 0 ..< 1; takes the mean of the tokens. Default: the \
      tower's, 0 as published.
      """))
  var img_mask_ratio: Float?

  @Option(
    help: .value(
      "fraction",
      "Stochastic depth of the image tower's last block in training, 0 ..< 1. Default: the tower's."))
  var drop_path: Float?

  @Option(
    help: .value(
      "fraction", "Dropout of the text tower in training, 0 ..< 1. Default: the tower's, 0.1 as published."))
  var text_dropout: Float?

  @Flag(help: "Draw the image tower's linear layers, positions and special tokens anew, as published.")
  var random_vit = false

  @Flag(help: "Keep only the input of each block of both towers for backward and compute the blocks again.")
  var grad_ckpt = false

  mutating func validate() throws {
    if let model { try requireOption("model", model, among: ModelCatalog.pairs.keys.sorted()) }
    try requireOption("llm_type", llm_type, among: ["gpt", "llama", "bert"])
    if let softmax_temperature {
      try requireOption(
        softmax_temperature > 0 && softmax_temperature.isFinite, "softmax_temperature", softmax_temperature,
        "a finite number above 0")
    }
    for (name, count) in [
      ("emb_dim", emb_dim), ("text_layers", text_layers), ("img_heads", img_heads),
      ("image_size", image_size),
    ] {
      if let count { try requireOption(count >= 1, name, count, "at least 1") }
    }
    for (name, share) in [
      ("img_mask_ratio", img_mask_ratio), ("drop_path", drop_path), ("text_dropout", text_dropout),
    ] {
      if let share { try requireOption(share >= 0 && share < 1, name, share, "0 ..< 1") }
    }
  }
}

extension PooledToken: ExpressibleByArgument {}
