/// A behavior of the published program that is not what one would expect, under the name that `--quirk` gives it.
///
/// What each one is and what happens without it is in `QuirkCatalog`. The first fifty are those of the behavioral
/// specification, in its order; the others are further differences that `--compat reference` undoes.
public enum Quirk: String, Sendable, CaseIterable {
  case resize224
  case poolFirst = "pool_first"
  case checkpointDetach = "ckpt_detach"
  case bf16Stagnation = "bf16_stagnation"
  case unusedRateScale = "unused_lr_scale"
  case rankQuery = "rank_query"
  case threeLayerGroups = "three_layer_groups"
  case decayedLogitScale = "decayed_logit_scale"
  case pneumothoraxPrompt = "pneumothorax_prompt"
  case embedDefaultEmpty = "embed_default_empty"
  case staleCaptions = "stale_captions"
  case labelShift = "label_shift"
  case balanceCrash = "balance_crash"
  case ignoredBalancedTrain = "ignored_balanced_train"
  case acc5Names = "acc5_names"
  case zeroAUC = "zero_auc"
  case hugeConfusion = "huge_confusion"
  case batchOfOne = "batch_of_one"
  case maskInEvaluation = "mask_in_evaluation"
  case stalePrompts = "stale_prompts"
  case batchMeans = "batch_means"
  case rankNegatives = "rank_negatives"
  case roundedTargets = "rounded_targets"
  case lenientLoad = "lenient_load"
  case freshLogitScale = "fresh_logit_scale"
  case bertPositionZero = "bert_pos0"
  case sineFrequencies = "sine_frequencies"
  case ia3Llama = "ia3_llama"
  case prefixRecompute = "prefix_grad_ckpt"
  case flashAttention2 = "flash_attention_2"
  case staticAdaLoRA = "static_adalora"
  case normsByName = "norms_by_name"
  case promptTuningShare = "prompt_ft_share"
  case integerColumns = "integer_columns"
  case embedGaps = "embed_gaps"
  case lastWeights = "last_weights"
  case deadFlags = "dead_flags"
  case rankTimestamps = "rank_timestamps"
  case sourceToken = "source_token"
  case frozenDropout = "frozen_dropout"
  case noNegatives = "no_negatives"
  case rsnaValidatesOnTraining = "rsna_valid_train"
  case wastedWork = "wasted_work"
  case anomalyStop = "anomaly_stop"
  case duplicateNegatives = "duplicate_negatives"
  case pooledVectors = "pooled_vectors"
  case idleHeads = "idle_heads"
  case lostColumn = "lost_column"
  case rsnaCaptions = "rsna_captions"
  case obscureNames = "obscure_names"
  case staleValidation = "stale_validation"
  case dicomMaximum = "dicom_maximum"
  case rsnaPlainPrompts = "rsna_plain_prompts"
  case torchOrder = "torch_order"
  case baselineHeads = "baseline_heads"

  /// Number in the behavioral specification, 1 to 50; nil for a difference that has none.
  public var number: Int? { QuirkCatalog.entry(self).number }

  /// What it is called in messages, for example `Q1 resize224`.
  public var title: String { number.map { "Q\($0) \(rawValue)" } ?? rawValue }

  /// The quirk of a name or of a number such as `Q3`; capitals do not count, and hyphens stand for underscores.
  public init?(name: String) {
    let plain = name.lowercased().replacing("-", with: "_")
    if let quirk = Quirk(rawValue: plain) {
      self = quirk
      return
    }
    guard plain.hasPrefix("q"), let number = Int(plain.dropFirst()),
      let entry = QuirkCatalog.all.first(where: { $0.number == number })
    else { return nil }
    self = entry.quirk
  }
}
