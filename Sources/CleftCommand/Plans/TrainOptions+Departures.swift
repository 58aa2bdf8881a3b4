import CleftAdapters
import CleftData
import CleftFormats
import CleftModels

/// Which quirks can matter under the options, and which of those that do are not in force.
extension TrainOptions {
  /// Quirks that an option of their own switches off, with the option where it is given.
  var optionQuirks: [(quirk: Quirk, option: String?)] {
    let loss = optimizer.loss
    return [
      (.rankNegatives, loss.gather_features ? "--gather_features" : nil),
      (.duplicateNegatives, loss.multi_positive ? "--multi_positive" : nil),
      (.freshLogitScale, model.inherit_logit_scale ? "--inherit_logit_scale" : nil),
      (.staticAdaLoRA, model.adapters.adalora_allocate ? "--adalora_allocate" : nil),
      (.lastWeights, run.checkpoints.test_best ? "--test_best" : nil),
      (.anomalyStop, run.guards.on_nan == .skip ? "--on_nan skip" : nil),
      (.noNegatives, data.captions.negative_prompt ? "--negative_prompt" : nil),
    ]
  }

  /// Where a run departs from the published program, a line each, with what undoes it.
  func departures(isPromptTuning: Bool) -> [String] {
    let options = Dictionary(uniqueKeysWithValues: optionQuirks.map { ($0.quirk, $0.option) })
    return concerns(isPromptTuning: isPromptTuning).filter { !quirks.has($0) && $0 != .poolFirst }.map {
      quirk in
      let entry = QuirkCatalog.entry(quirk)
      let option = options[quirk].flatMap { $0 }
      guard let option, quirks.choice(quirk) != false else { return entry.departure }
      return entry.departure(by: option)
    }
  }

  /// Quirks named by `--quirk` that make no difference to this run.
  func idleChoices(isPromptTuning: Bool) -> [Quirk] {
    let concerns = Set(concerns(isPromptTuning: isPromptTuning))
    return Quirk.allCases.filter { quirks.choice($0) != nil && !concerns.contains($0) }
  }

  /// Quirks that can show in a run of these options.
  ///
  /// The dataset's are those of the split that the run begins with.
  func concerns(isPromptTuning: Bool) -> [Quirk] {
    let request = data.request(
      run.eval ? .test : data.train_split, isPromptTuning: isPromptTuning, quirks: quirks)
    let rows: [(Quirk, Bool)] = run.eval ? [] : trainingConcerns(isPromptTuning: isPromptTuning)
    // A classifier reads neither captions nor prompts.
    let texts: Set<Quirk> =
      optimizer.loss.img_cls_ft ? [.pneumothoraxPrompt, .rsnaPlainPrompts, .embedDefaultEmpty] : []
    let found =
      (modelConcerns + rows).filter(\.1).map(\.0)
      + data.entry.quirks(request).filter { !texts.contains($0) }
    let all = Set(found)
    return Quirk.allCases.filter(all.contains)
  }

  /// Those of pictures and of the model, each with whether it can show.
  private var modelConcerns: [(Quirk, Bool)] {
    let isContrastive = !optimizer.loss.img_cls_ft
    let isBaseline = model.llm_type == "bert" && isContrastive
    let file = model.pretrained_model.map { FileSystem.exists($0) && !FileSystem.isFolder($0) } ?? run.eval
    return [
      (.resize224, true), (.lostColumn, true), (.poolFirst, !isBaseline && isContrastive),
      (.maskInEvaluation, (model.img_mask_ratio ?? 0) > 0), (.lenientLoad, file),
      (.bertPositionZero, isBaseline), (.baselineHeads, isBaseline && model.linear_proj),
      (.sineFrequencies, TowerFiles.imageName(model) == "vit_base" && model.pretrained_model == nil),
      (.noNegatives, data.captions.negative_prompt && isContrastive),
    ]
  }

  /// Those of training, each with whether it can show.
  private func trainingConcerns(isPromptTuning: Bool) -> [(Quirk, Bool)] {
    let (loss, adapter) = (optimizer.loss, model.adapters.peft)
    let isContrastive = !loss.img_cls_ft
    let isFrozen = isPromptTuning || model.freeze_llm
    let isCutOff = model.grad_ckpt && !isFrozen && !model.train_embed
    let isCheXpert = data.entry.name == "chexpert"
    return [
      (.checkpointDetach, isContrastive && isCutOff && adapter != nil && adapter != "prefix"),
      (.prefixRecompute, isContrastive && model.grad_ckpt && adapter == "prefix"),
      (.ia3Llama, isContrastive && adapter == "ia3" && model.llm_type == "llama"),
      (.bf16Stagnation, run.precision == "bf16-true"),
      (.rankQuery, rankCount == 1 && !optimizer.no_lrd),
      (
        .decayedLogitScale, isContrastive && !optimizer.no_lrd && optimizer.weight_decay > 0
      ),
      (.labelShift, isCheXpert && (loss.img_cls_ft || data.balance_training)),
      (.balanceCrash, isCheXpert && data.balance_training && !data.five_cls),
      (.acc5Names, loss.img_cls_ft && !loss.multi_label_loss), (.batchMeans, true), (.staleValidation, true),
      (.lastWeights, true),
      (.anomalyStop, true), (.rankNegatives, isContrastive && !loss.class_wise && rankCount > 1),
      (.torchOrder, rankCount > 1 && !data.balance_training),
      (.duplicateNegatives, isContrastive && !loss.class_wise),
      (.freshLogitScale, isContrastive && model.pretrained_encoder != nil && model.pretrained_model == nil),
      (.staticAdaLoRA, isContrastive && (adapter == "adalora" || model.adapters.adalora_allocate)),
      (.normsByName, isContrastive && model.unlock_ln && (model.llm_type != "gpt" || isPromptTuning)),
      (.frozenDropout, isContrastive && isFrozen),
      (.rsnaValidatesOnTraining, data.entry.name == "rsna" && data.valid_csv == nil),
    ]
  }
}
