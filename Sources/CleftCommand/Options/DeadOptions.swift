import ArgumentParser

/// Flags of the published program that do nothing there, or nothing here; each is said once.
struct DeadOptions: ParsableArguments {
  @Option(help: "Does nothing, as published: --max_steps alone ends a run.")
  var max_epochs: Int?

  @Option(help: "Does nothing, as published.")
  var num_heads: Int?

  @Option(help: "Does nothing, as published: no model reads the masked tokens.")
  var masked_lm_ratio: Float?

  @Flag(help: "Does nothing, as published.")
  var agg_tokens = false

  @Flag(help: "Does nothing, as published.")
  var mrm_encoder = false

  @Flag(help: "Does nothing here: attention is computed in tiles always.")
  var use_flash_attention = false

  @Flag(help: "Does nothing here: attention is computed in tiles always.")
  var use_flash_attention_2 = false

  @Flag(help: "Not read here; use --baseline_vit --img_encoder mgca.")
  var mgca_encoder = false
}
