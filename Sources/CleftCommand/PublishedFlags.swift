/// Names of the published program's flags, by the tables of its parser.
///
/// A beginning that is one of them there is the same one here, whatever newer options begin alike.
enum PublishedFlags {
  static let names: Set<String> = [
    // Entry point.
    "eval", "llm_type", "pretrained_model", "resume_ckpt", "rsna", "embed",
    // Model.
    "emb_dim", "linear_proj", "pool_feat", "prompt_ft", "ctx_length", "ctx_init", "img_encoder", "freeze_vit",
    "baseline_vit", "img_mask_ratio", "random_vit",
    // Language model.
    "freeze_llm", "train_embed", "unlock_ln", "num_freeze_blocks", "masked_lm_ratio", "peft",
    // Training.
    "num_workers", "batch_size", "max_epochs", "max_steps", "accumulate_grad_batches", "img_cls_ft",
    "num_classes", "num_heads", "experiment_name", "seed", "devices", "strategy", "accelerator", "precision",
    "dev", "grad_ckpt", "warm_up", "balance_training",
    // Optimizer.
    "softmax_temperature", "learning_rate", "min_lr", "momentum", "weight_decay", "no_lrd", "adafactor",
    "sgd",
    "pretrained_encoder",
    // Data, captions, inference.
    "agg_tokens", "train_sub_set", "data_pct", "train_split", "valid_split", "keep_size", "balanced_test",
    "small_balanced_train", "pred_density", "structural_cap", "simple_cap", "natural_cap",
    "instance_test_cap", "five_cls",
    // Baselines and kernels.
    "mgca_encoder", "mrm_encoder", "use_flash_attention", "use_flash_attention_2",
  ]
}
