/// Every quirk of the published program: what it is, what happens without it, and when it is in force.
///
/// One line here and one in `Quirk` make a quirk.
/// - Source: `cleft.md` §9; which are in force by themselves is decided by `design.md` §5.
public enum QuirkCatalog {
  /// What sort of thing a quirk is, which decides when it is in force.
  public enum Kind: String, Sendable, CaseIterable {
    /// Checkpoints and published numbers rest on it: in force unless switched off.
    case modelling
    /// It drops work or damages training: in force under `--compat reference` only.
    case defect
    /// It ends the published program: never reproduced.
    case crash
    /// It has no effect on numbers, or only an accidental one: never reproduced.
    case omitted

    /// Whether it is in force by itself.
    public var isOnInFixed: Bool { self == .modelling }
    /// Whether it is in force under `--compat reference`.
    public var isOnInReference: Bool { self == .modelling || self == .defect }
    /// Whether it can be in force at all.
    public var canBeOn: Bool { isOnInReference }
  }

  /// One quirk.
  public struct Entry: Sendable {
    /// Its name.
    public let quirk: Quirk
    /// Number in the behavioral specification; nil for a difference that has none.
    public let number: Int?
    /// What sort of thing it is.
    public let kind: Kind
    /// What the published program does, as a clause.
    public let summary: String
    /// What happens where it is not in force, as a clause.
    public let instead: String
    /// The option that says the same as switching it; nil without one.
    public let option: String?

    fileprivate init(
      _ number: Int?, _ quirk: Quirk, _ kind: Kind, _ summary: String, instead: String, option: String? = nil
    ) {
      (self.number, self.quirk, self.kind) = (number, quirk, kind)
      (self.summary, self.instead, self.option) = (summary, instead, option)
    }

    /// The line of a run in which it is not in force.
    public var departure: String {
      if kind.canBeOn { return "\(instead) (--quirk \(quirk.rawValue)=on undoes it)" }
      return kind == .crash ? "\(instead) (the published program ends there)" : instead
    }

    /// The line of a run in which an option has switched it off.
    public func departure(by option: String) -> String { "\(instead) (by \(option))" }
  }

  /// All quirks, the numbered ones first.
  public static let all: [Entry] = numbered + further

  /// The quirk's line.
  public static func entry(_ quirk: Quirk) -> Entry {
    guard let entry = byQuirk[quirk] else {
      preconditionFailure("quirk \(quirk.rawValue): not in the catalogue")
    }
    return entry
  }

  private static let byQuirk = Dictionary(all.map { ($0.quirk, $0) }) { first, _ in first }

  private static let numbered: [Entry] = [
    Entry(
      1, .resize224, .modelling,
      "pictures are resized straight to 224, and the random crop behind that has nothing left to cut",
      instead: "pictures are resized to 256 and cropped to 224, at random in training"),
    Entry(
      2, .poolFirst, .defect, "a caption that fills all columns is read at position 0",
      instead: "a caption without a free column is read at its last word, not at position 0",
      option: "--pool_token first_pad"),
    Entry(
      3, .checkpointDetach, .defect,
      "--grad_ckpt cuts the language model's blocks off where their input is frozen, and adapters never train",
      instead: "recomputation does not detach the adapters"),
    Entry(
      4, .bf16Stagnation, .defect, "bf16-true keeps trained weights in bfloat16, where small steps vanish",
      instead: "bf16-true keeps trained weights in float32, so that small steps count"),
    Entry(
      5, .unusedRateScale, .omitted, "every parameter group stores a rate of its own that nothing reads",
      instead: "none is stored; --layer_decay sets rates by layer", option: "--layer_decay"),
    Entry(
      6, .rankQuery, .crash, "a run in one process without --no_lrd crashes on asking for its rank",
      instead: "parameters are grouped in one process too"),
    Entry(
      7, .threeLayerGroups, .crash, "an image tower whose blocks do not divide by 3 crashes",
      instead: "image towers may have any number of blocks"),
    Entry(
      8, .decayedLogitScale, .defect, "the temperature is weight-decayed like a matrix",
      instead: "the temperature is not weight-decayed", option: "--max_logit_scale bounds it"),
    Entry(
      9, .pneumothoraxPrompt, .defect,
      "RSNA's positive prompt says pneumothorax, though the task is pneumonia",
      instead: "the RSNA prompt says pneumonia; the published one is reported beside it"),
    Entry(
      10, .embedDefaultEmpty, .defect,
      "BI-RADS is looked for in the wrong sentence of EMBED's default captions, and no picture is left",
      instead: "EMBED pictures with the default captions have BI-RADS labels",
      option: "--simple_cap avoids it"),
    Entry(
      11, .staleCaptions, .omitted,
      "captions come from a cache that knows nothing of --five_cls, --data_pct or the table",
      instead: "captions are made from the table in every run"),
    Entry(
      12, .labelShift, .defect,
      "CheXpert labels are looked up by place in the unfiltered table, and a dropped row shifts all later ones",
      instead: "CheXpert labels are those of the row"),
    Entry(
      13, .balanceCrash, .crash,
      "--balance_training crashes without --five_cls and on rows without any of the classes",
      instead: "--balance_training counts rows without any class as a class of their own"),
    Entry(
      14, .ignoredBalancedTrain, .defect, "--small_balanced_train never reaches the dataset",
      instead: "--small_balanced_train is heeded"),
    Entry(
      15, .acc5Names, .defect,
      "top-2 accuracy of classification is logged as acc5, and in the test as test_auc",
      instead: "top-2 accuracy is logged as acc2, and test_auc is the AUC"),
    Entry(
      16, .zeroAUC, .crash, "AUC fails and counts as 0 where --num_classes does not fit the test set",
      instead: "AUC is that of the classes there are"),
    Entry(
      17, .hugeConfusion, .omitted, "the confusion matrix has --num_classes rows, 1000 by default",
      instead: "the confusion matrix has a row for each class"),
    Entry(
      18, .batchOfOne, .crash, "a batch of one sample crashes",
      instead: "the last batch of an evaluation may hold one sample"),
    Entry(
      19, .maskInEvaluation, .defect, "--img_mask_ratio leaves out patches in evaluation too",
      instead: "--img_mask_ratio leaves out patches in training only"),
    Entry(
      20, .stalePrompts, .omitted, "class prompts are encoded once, even when the weights change later",
      instead: "class prompts are encoded once for each evaluation"),
    Entry(
      21, .batchMeans, .defect, "means of an evaluation count its short last batch as a full one",
      instead: "means of an evaluation count every sample once"),
    Entry(
      22, .rankNegatives, .modelling, "each rank's negatives are those of its own batch",
      instead: "ranks share their negatives", option: "--gather_features"),
    Entry(
      23, .roundedTargets, .omitted, "in bfloat16 the targets of a batch above 256 are rounded to wrong ones",
      instead: "targets are whole numbers"),
    Entry(
      24, .lenientLoad, .defect,
      "weights that a checkpoint lacks keep their start values, and those left over are dropped",
      instead: "weights that are missing or left over in a checkpoint end the run", option: "--non_strict"),
    Entry(
      25, .freshLogitScale, .modelling, "--pretrained_encoder starts the temperature anew",
      instead: "the temperature goes on from the checkpoint", option: "--inherit_logit_scale"),
    Entry(
      26, .bertPositionZero, .defect, "the BERT baseline reads every token at position 0",
      instead: "the BERT baseline reads every token at its own position"),
    Entry(
      27, .sineFrequencies, .modelling,
      "the baseline's fixed positions have frequencies 10000^(-i/2m), where i/2m is usually 2i/m",
      instead: "the baseline's fixed positions have the usual frequencies 10000^(-2i/m)"),
    Entry(
      28, .ia3Llama, .crash, "--peft ia3 crashes with --llm_type llama",
      instead: "--peft ia3 is put on LLaMA's k_proj, v_proj and down_proj"),
    Entry(
      29, .prefixRecompute, .crash, "--peft prefix crashes with --grad_ckpt",
      instead: "--peft prefix trains with --grad_ckpt as without"),
    Entry(
      30, .flashAttention2, .crash, "--use_flash_attention_2 crashes",
      instead: "--use_flash_attention_2 does nothing"),
    Entry(
      31, .staticAdaLoRA, .modelling, "AdaLoRA never moves ranks nor adds its orthogonality term",
      instead: "AdaLoRA moves ranks and adds its orthogonality term", option: "--adalora_allocate"),
    Entry(
      32, .normsByName, .defect,
      "--unlock_ln looks for 'ln' in names, which LLaMA and BERT lack, and --prompt_ft undoes it",
      instead: "--unlock_ln finds the norms of every tower and holds under --prompt_ft"),
    Entry(
      33, .promptTuningShare, .defect, "--prompt_ft takes --data_pct of validation and test rows too",
      instead: "--prompt_ft takes --data_pct of the training rows only", option: "--train_sub_set"),
    Entry(
      34, .integerColumns, .defect, "columns of whole numbers in EMBED's findings count as empty",
      instead: "whole numbers in EMBED's tables are read, not taken for empty cells"),
    Entry(
      35, .embedGaps, .crash, "an EMBED picture without an annotation or a procedure ends the run",
      instead: "EMBED pictures without an annotation or a procedure are left out"),
    Entry(
      36, .lastWeights, .modelling, "the final test takes the last weights, not the best",
      instead: "the final test takes the best weights", option: "--test_best"),
    Entry(
      37, .deadFlags, .omitted, "some flags are read by nothing",
      instead: "they are accepted, do nothing and are said once"),
    Entry(
      38, .rankTimestamps, .omitted, "every rank names the run folder by its own clock",
      instead: "a run has one folder"),
    Entry(
      39, .sourceToken, .omitted, "an access token stands in the source",
      instead: "nothing is downloaded, and no token is needed"),
    Entry(
      40, .frozenDropout, .modelling,
      "dropout of the language model and its adapters goes on while they are frozen",
      instead: "a frozen language model runs without dropout"),
    Entry(
      41, .noNegatives, .modelling,
      "captions name findings that are there, and no option adds those ruled out",
      instead: "captions also say which findings are ruled out", option: "--negative_prompt"),
    Entry(
      42, .rsnaValidatesOnTraining, .modelling, "RSNA's validation table is its training table",
      instead: "RSNA has no validation without a table for it", option: "--valid_csv"),
    Entry(
      43, .wastedWork, .omitted,
      "unpaired captions, a second EMBED picture and attention maps are made and thrown away",
      instead: "nothing is made that nothing reads"),
    Entry(
      44, .anomalyStop, .modelling, "a number that is not finite in backward ends the run",
      instead: "steps with numbers that are not finite are left out and counted", option: "--on_nan skip"),
    Entry(
      45, .duplicateNegatives, .modelling, "equal captions in a batch are one another's negatives",
      instead: "equal captions in a batch are one another's positives", option: "--multi_positive"),
    Entry(
      46, .pooledVectors, .crash, "--pool_feat crashes with a baseline that has no tokens",
      instead: "--pool_feat is refused for a baseline that has no tokens"),
    Entry(
      47, .idleHeads, .omitted, "two local heads count as trained, though nothing uses them",
      instead: "local heads take no memory; files for the published program hold them"),
    Entry(
      48, .lostColumn, .modelling, "squares of some sizes lose a column when they are fitted into 256",
      instead: "sides of fitted pictures are rounded to the nearest pixel"),
    Entry(
      49, .rsnaCaptions, .crash, "contrastive training on RSNA crashes for lack of captions",
      instead: "contrastive training on RSNA is refused"),
    Entry(
      50, .obscureNames, .crash, "unknown names of adapters and baselines fail far from their cause",
      instead: "unknown names of adapters and baselines are refused with those that there are"),
  ]

  private static let further: [Entry] = [
    Entry(
      nil, .staleValidation, .defect,
      "a last epoch that --max_steps cuts short is not validated, and the numbers before it judge its checkpoint",
      instead: "the last weights are validated too"),
    Entry(
      nil, .dicomMaximum, .defect, "DICOM values are scaled by their maximum alone",
      instead: "DICOM pictures are shown through their LUTs and windows, not scaled by their maximum"),
    Entry(
      nil, .rsnaPlainPrompts, .defect,
      "RSNA prompts behind prompt vectors lose the space before their first word",
      instead: "RSNA prompts keep the space in front of their first word"),
    Entry(
      nil, .torchOrder, .defect, "ranks are dealt samples by PyTorch's distributed sampler",
      instead: "ranks are dealt samples in this program's own order"),
    Entry(
      nil, .baselineHeads, .defect, "the BERT baseline ignores --linear_proj",
      instead: "--linear_proj holds for the BERT baseline too"),
  ]
}
