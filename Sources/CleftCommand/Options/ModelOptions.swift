import ArgumentParser
import CleftAdapters
import CleftModels

/// Which model, from which weights, with which parts trained.
struct ModelOptions: ParsableArguments {
  @Option(
    help: """
      Size of a model that starts from random values: \(ModelCatalog.pairs.keys.sorted().joined(separator: ", ")). \
      Without it the published towers are read from --img_encoder and --text_model.
      """)
  var model: String?

  @Option(help: "Image tower: a published name, or a file of DINOv2 weights (safetensors or PyTorch's .pth).")
  var img_encoder = "dinov2_vitb14_reg"

  @Option(help: "Heads of an --img_encoder file whose width is none of DINOv2's.")
  var img_heads: Int?

  @Option(
    help: "Text tower for --llm_type gpt: a published name or a Hugging Face folder with its weights."
  )
  var text_model = "stanford-crfm/BioMedLM"

  @Option(help: "Kind of text tower: gpt.")
  var llm_type = "gpt"

  @Option(help: "Tokenizer file or folder; default: the text tower's, or the shipped one for --model tiny.")
  var tokenizer: String?

  @Option(help: "Width of the shared space; default: the model's, 512 as published.")
  var emb_dim: Int?

  @Flag(help: "Projections are one linear layer instead of two with batch norm.")
  var linear_proj = false

  @Flag(help: "Image feature is the mean of all tokens before the final norm instead of the class token.")
  var pool_feat = false

  @Option(
    help:
      "Adapter of the text tower: \(AdapterCatalog.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "; "))."
  )
  var peft: String?

  @Option(help: "Start of the learned temperature, above 0.")
  var softmax_temperature: Float = 0.07

  @Flag(help: "Freeze the image tower and its head.")
  var freeze_vit = false

  @Flag(help: "Freeze the whole language model, adapters included; its head stays trainable.")
  var freeze_llm = false

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

  @Flag(help: "Start from the checkpoint's temperature too; by default --pretrained_encoder starts it anew.")
  var inherit_logit_scale = false

  @Flag(help: "Keep only block inputs of the text tower for backward and compute the blocks again.")
  var grad_ckpt = false

  @Option(
    help: """
      Caption's feature: eos (slot behind the last word, without one the last word; the default), first_pad (the same \
      slot, without one position 0; as published), last_word.
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
    if llm_type != "gpt" { throw ValidationError("--llm_type is '\(llm_type)'; expected gpt.") }
  }
}

extension PooledToken: ExpressibleByArgument {}
