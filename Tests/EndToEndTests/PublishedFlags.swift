/// One flag of the published program, as its parser declares it.
struct PublishedFlag: Sendable {
  let name: String
  /// A value it takes; nil for a flag that takes none.
  let value: String?
  /// That value as YAML shows it; nil where it starts or resumes a run, and so is not shown.
  let shown: String?
  /// The value where it is not given; nil where nothing stands for it.
  let usual: String?
  /// Options without which it would be ignored.
  let beside: [String]

  /// A flag without a value.
  static func flag(_ name: String, isShown: Bool = true, beside: [String] = []) -> PublishedFlag {
    PublishedFlag(
      name: name, value: nil, shown: isShown ? "true" : nil, usual: isShown ? "false" : nil, beside: beside)
  }

  /// An option with a text or word.
  static func text(_ name: String, _ value: String, usual: String? = nil) -> PublishedFlag {
    PublishedFlag(
      name: name, value: value, shown: "\"\(value)\"", usual: usual.map { "\"\($0)\"" }, beside: [])
  }

  /// An option with a number, or a word that is shown as it stands.
  static func plain(_ name: String, _ value: String, usual: String? = nil) -> PublishedFlag {
    PublishedFlag(name: name, value: value, shown: value, usual: usual, beside: [])
  }
}

extension PublishedFlag {
  /// All 68, in the order of the published program's groups.
  ///
  /// Nothing stands for a value that is the model's, the dataset's or the loss's own here (`emb_dim`, `img_encoder`,
  /// `img_mask_ratio`, `num_classes`, `softmax_temperature`), and for those that do nothing.
  static let all: [PublishedFlag] = entryPoint + model + languageModel + training + optimizer + data + kernels

  private static let entryPoint: [PublishedFlag] = [
    .flag("eval"), .text("llm_type", "llama", usual: "gpt"), .text("pretrained_model", "a.ckpt"),
    PublishedFlag(name: "resume_ckpt", value: "last", shown: nil, usual: nil, beside: []), .flag("rsna"),
    .flag("embed"),
  ]

  private static let model: [PublishedFlag] = [
    .plain("emb_dim", "256"), .flag("linear_proj"), .flag("pool_feat"), .flag("prompt_ft"),
    .plain("ctx_length", "16", usual: "30"), .text("ctx_init", "caption", usual: "random"),
    .text("img_encoder", "dinov2_vits14"), .flag("freeze_vit"), .flag("baseline_vit"),
    .plain("img_mask_ratio", "0.5"), .flag("random_vit"),
  ]

  private static let languageModel: [PublishedFlag] = [
    .flag("freeze_llm"), .flag("train_embed"), .flag("unlock_ln"),
    .plain("num_freeze_blocks", "3", usual: "0"), .plain("masked_lm_ratio", "0.25"), .text("peft", "lora"),
  ]

  private static let training: [PublishedFlag] = [
    .plain("num_workers", "4", usual: "16"), .plain("batch_size", "8", usual: "72"),
    .plain("max_epochs", "50"), .plain("max_steps", "100", usual: "40000"),
    .plain("accumulate_grad_batches", "2", usual: "1"), .flag("img_cls_ft"),
    .plain("num_classes", "5"), .plain("num_heads", "1"),
    .text("experiment_name", "trial", usual: ""), .plain("seed", "7", usual: "42"),
    .plain("devices", "1", usual: "4"), .text("strategy", "ddp_find_unused_parameters_true", usual: "ddp"),
    .text("accelerator", "cpu", usual: "gpu"), .text("precision", "bf16-true", usual: "32"),
    .flag("dev", isShown: false), .flag("grad_ckpt"), .plain("warm_up", "10", usual: "16000"),
    .flag("balance_training"),
  ]

  private static let optimizer: [PublishedFlag] = [
    .plain("softmax_temperature", "0.1"), .plain("learning_rate", "4e-05", usual: "2e-05"),
    .plain("min_lr", "1e-05", usual: "1e-08"), .plain("momentum", "0.5", usual: "0.9"),
    .plain("weight_decay", "0.1", usual: "0.05"), .flag("no_lrd"), .flag("adafactor"), .flag("sgd"),
    .text("pretrained_encoder", "b.ckpt"),
  ]

  private static let data: [PublishedFlag] = [
    .flag("agg_tokens"), .flag("train_sub_set"), .plain("data_pct", "0.5", usual: "1.0"),
    .plain("train_split", "valid", usual: "train"), .plain("valid_split", "test", usual: "valid"),
    .flag("keep_size", beside: ["--rsna"]), .flag("balanced_test", beside: ["--embed"]),
    .flag("small_balanced_train", beside: ["--embed"]), .flag("pred_density", beside: ["--embed"]),
    .flag("structural_cap", beside: ["--embed"]), .flag("simple_cap", beside: ["--embed"]),
    .flag("natural_cap", beside: ["--embed"]), .flag("instance_test_cap", beside: ["--embed"]),
    .flag("five_cls"),
  ]

  private static let kernels: [PublishedFlag] = [
    .flag("mgca_encoder"), .flag("mrm_encoder"), .flag("use_flash_attention"), .flag("use_flash_attention_2"),
  ]
}
