import ArgumentParser

/// Flags of the published program that do nothing there, or nothing here; each that is given is said once.
struct DeadOptions: ParsableArguments {
  @Option(
    help: .value("epochs", "Does nothing, as published: --max_steps alone ends a run. Default there: 50."))
  var max_epochs: Int?

  @Option(help: .value("heads", "Does nothing, as published. Default there: 1."))
  var num_heads: Int?

  @Option(
    help: .value("fraction", "Does nothing, as published: no model reads masked tokens. Default there: 0."))
  var masked_lm_ratio: Float?

  @Flag(help: "Does nothing, as published.")
  var agg_tokens = false

  @Flag(help: "Does nothing, as published.")
  var mrm_encoder = false

  @Flag(help: "Does nothing here: attention is always computed in tiles, exactly.")
  var use_flash_attention = false

  @Flag(help: "Does nothing here: attention is always computed in tiles, exactly.")
  var use_flash_attention_2 = false

  @Flag(help: "Not read here, an error; --baseline_vit --img_encoder mgca takes the image tower it means.")
  var mgca_encoder = false

  /// One line for each that is given.
  var notices: [String] {
    let dead: [(name: String, isGiven: Bool, reason: String)] = [
      ("max_epochs", max_epochs != nil, "does nothing, as published: --max_steps alone ends a run"),
      ("num_heads", num_heads != nil, "does nothing, as published"),
      ("masked_lm_ratio", masked_lm_ratio != nil, "does nothing, as published: no model reads masked tokens"),
      ("agg_tokens", agg_tokens, "does nothing, as published"),
      ("mrm_encoder", mrm_encoder, "does nothing, as published"),
      ("use_flash_attention", use_flash_attention, Self.tiles),
      ("use_flash_attention_2", use_flash_attention_2, Self.tiles),
    ]
    return dead.filter(\.isGiven).map { "--\($0.name) \($0.reason)." }
  }

  private static let tiles = "does nothing here: attention is always computed in tiles, exactly"

  mutating func validate() throws {
    if mgca_encoder {
      throw ValidationError(
        "--mgca_encoder is not read here; use --baseline_vit --img_encoder mgca, with the weights where "
          + "--model_dir says.")
    }
  }
}
