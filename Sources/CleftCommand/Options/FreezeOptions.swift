import ArgumentParser

/// Which parts of a model are trained.
struct FreezeOptions: ParsableArguments {
  @Flag(help: "Freeze the image tower and its head.")
  var freeze_vit = false

  @Flag(help: "Freeze the whole language model, adapters included; its head stays trainable.")
  var freeze_llm = false

  @Flag(help: "Train the token embeddings too; --freeze_llm wins.")
  var train_embed = false

  @Flag(help: "Train the language model's norms even where the rest is frozen.")
  var unlock_ln = false

  @Option(
    help: .value("blocks", "First blocks of the language model to freeze, adapters included, 0 or more."))
  var num_freeze_blocks = 0

  @Flag(
    help:
      "Run a frozen tower on every batch, instead of encoding each caption and picture once where that is the same."
  )
  var no_feature_cache = false

  mutating func validate() throws {
    try requireOption(num_freeze_blocks >= 0, "num_freeze_blocks", num_freeze_blocks, "0 or more")
  }
}
