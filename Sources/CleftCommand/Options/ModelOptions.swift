import ArgumentParser
import CleftModels

/// Which model, from which weights, with which parts trained.
struct ModelOptions: ParsableArguments {
  @Option(
    help: """
      Size of a model that starts from random values: \(ModelCatalog.pairs.keys.sorted().joined(separator: ", ")). \
      Without it the published towers are read from --img_encoder and --text_model.
      """)
  var model: String?

  @Option(
    help: """
      Image tower: a published name (\(ModelCatalog.imageTowers.keys.sorted().joined(separator: ", "))), or a file of \
      its weights (safetensors or PyTorch's); default dinov2_vitb14_reg, with --llm_type bert vit_base.
      """)
  var img_encoder: String?

  @Flag(
    help:
      "--img_encoder names a baseline: \(ModelCatalog.baselineTowers.keys.sorted().joined(separator: ", ")).")
  var baseline_vit = false

  @Option(help: "Heads of an --img_encoder file whose width is none of DINOv2's.")
  var img_heads: Int?

  @Option(
    help: """
      Text tower: a published name or a Hugging Face folder with its weights; default by --llm_type \
      \(ModelCatalog.textTowerByKind.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")).
      """)
  var text_model: String?

  @Option(help: "Kind of text tower: gpt, llama, bert.")
  var llm_type = "gpt"

  @Option(
    help: "Blocks of the text tower to use, from the first; default all, for --llm_type bert 6 as published.")
  var text_layers: Int?

  @Option(help: "Folder with downloaded weights under their published names, searched before the caches.")
  var model_dir: String?

  @Flag(help: "Draw the image tower's linear layers, positions and special tokens anew, as published.")
  var random_vit = false

  @Option(
    help: "Share of the patches that a training pass leaves out, 0 ..< 1; takes the mean of the tokens.")
  var img_mask_ratio: Float?

  @Option(
    help: "Stochastic depth of the image tower's last block in training, 0 ..< 1; default: the tower's.")
  var drop_path: Float?

  @Option(help: "Tokenizer file or folder; default: the text tower's, or the shipped one for --model tiny.")
  var tokenizer: String?

  @Option(help: "Width of the shared space; default: the model's, 512 as published.")
  var emb_dim: Int?

  @Flag(help: "Projections are one linear layer instead of two with batch norm.")
  var linear_proj = false

  @Flag(help: "Image feature is the mean of all tokens before the final norm instead of the class token.")
  var pool_feat = false

  @OptionGroup(title: "Adapters") var adapters: AdapterOptions

  @Option(help: "Dropout of the text tower in training, 0 ..< 1; default: the tower's, 0.1 as published.")
  var text_dropout: Float?

  @Option(help: "Start of the learned temperature, above 0.")
  var softmax_temperature: Float = 0.07

  @Flag(help: "Freeze the image tower and its head.")
  var freeze_vit = false

  @Flag(help: "Freeze the whole language model, adapters included; its head stays trainable.")
  var freeze_llm = false

  @Flag(help: "Train the token embeddings too; --freeze_llm wins.")
  var train_embed = false

  @Flag(help: "Train the language model's norms even where the rest is frozen.")
  var unlock_ln = false

  @Option(help: "Freeze the first blocks of the language model, adapters included.")
  var num_freeze_blocks = 0

  @Flag(help: "Train vectors in front of every caption, with the text side frozen.")
  var prompt_ft = false

  @Option(help: "Number of trained vectors for --prompt_ft.")
  var ctx_length = 30

  @Option(help: "Start of the vectors: caption (the words of the base caption) or random.")
  var ctx_init = "random"

  @Option(help: "Checkpoint whose two towers --prompt_ft or a new training starts from.")
  var pretrained_encoder: String?

  @Option(help: "Checkpoint to evaluate, or to start a new training from with all its weights.")
  var pretrained_model: String?

  @Flag(help: "Let weights be missing or left over; every one is listed. By default that is an error.")
  var non_strict = false

  @Flag(help: "Start from the checkpoint's temperature too; by default --pretrained_encoder starts it anew.")
  var inherit_logit_scale = false

  @Flag(help: "Keep only the input of each block of both towers for backward and compute the blocks again.")
  var grad_ckpt = false

  @Option(
    help: """
      Caption's feature: eos (slot behind the last word, without one the last word; the default), first_pad (the same \
      slot, without one position 0; as published), last_word, first (the first token).
      """)
  var pool_token: PooledToken?

  @Option(
    help: "Side of the pictures that the model sees, in pixels; default: the model's, 224 as published.")
  var image_size: Int?

  mutating func validate() throws {
    if softmax_temperature <= 0 || !softmax_temperature.isFinite {
      throw ValidationError("--softmax_temperature is \(softmax_temperature); expected a number above 0.")
    }
    if !(1...100_000).contains(ctx_length) {
      throw ValidationError("--ctx_length is \(ctx_length); expected 1 ... 100000.")
    }
    if let emb_dim, emb_dim < 1 { throw ValidationError("--emb_dim is \(emb_dim); expected at least 1.") }
    if ModelCatalog.textTowerByKind[llm_type] == nil {
      throw ValidationError("--llm_type is '\(llm_type)'; expected gpt, llama or bert.")
    }
    if let img_mask_ratio, !(img_mask_ratio >= 0 && img_mask_ratio < 1) {
      throw ValidationError("--img_mask_ratio is \(img_mask_ratio); expected 0 ..< 1.")
    }
    if let drop_path, !(drop_path >= 0 && drop_path < 1) {
      throw ValidationError("--drop_path is \(drop_path); expected 0 ..< 1.")
    }
    if let text_layers, text_layers < 1 {
      throw ValidationError("--text_layers is \(text_layers); expected at least 1.")
    }
    if num_freeze_blocks < 0 {
      throw ValidationError("--num_freeze_blocks is \(num_freeze_blocks); expected 0 or more.")
    }
  }
}

extension PooledToken: ExpressibleByArgument {}
