import CleftData
import CleftFormats

/// Options that differ from their defaults and yet change nothing in this run.
extension TrainOptions {
  /// One line for each; none in an evaluation, which says itself what it does not heed.
  var idleOptions: [String] {
    guard !run.eval else { return [] }
    return (idleLoss + idleStart + idleModel + idleRows + idleProcess).filter(\.isIdle).map {
      "\($0.name) does nothing here: \($0.reason)."
    }
  }

  /// An option, whether it is given to no effect, and why.
  private typealias Idle = [(name: String, isIdle: Bool, reason: String)]

  private var idleLoss: Idle {
    let (settings, loss) = (optimizer, optimizer.loss)
    // What a quirk has switched is said as the quirk's.
    let gathers = loss.gather_features && run.quirks.choice(.rankNegatives) != false
    return [
      ("--gather_features", gathers && rankCount == 1, "one rank has nobody to share with"),
      (
        "--cached_negatives", loss.cached_negatives && settings.accumulate_grad_batches == 1,
        "with --accumulate_grad_batches 1 a step has one batch"
      ),
      // The published program's AUC, which a reference run speaks of, counts them.
      (
        "--num_classes", loss.num_classes != nil && !loss.img_cls_ft && !quirks.isReference,
        "outputs are counted by --img_cls_ft only"
      ),
      ("--sgd", settings.sgd && settings.adafactor, "--adafactor wins"),
    ]
  }

  private var idleStart: Idle {
    let isClassifier = optimizer.loss.img_cls_ft
    let inherits = model.inherit_logit_scale && run.quirks.choice(.freshLogitScale) != false
    let hasOwnScale =
      model.pretrained_model != nil || (model.pretrained_encoder != nil && model.inherit_logit_scale)
    return [
      (
        "--pretrained_encoder", model.pretrained_encoder != nil && model.pretrained_model != nil,
        "--pretrained_model wins"
      ),
      (
        "--inherit_logit_scale", inherits && model.pretrained_encoder == nil && !isClassifier,
        "there is no --pretrained_encoder to take it from"
      ),
      (
        "--softmax_temperature", model.softmax_temperature != nil && hasOwnScale && !isClassifier,
        "the temperature is that of the start weights"
      ),
      ("--non_strict", model.non_strict && !readsForeignWeights, "no weights of another program are read"),
    ]
  }

  /// Whether weights come from a file that may lack some, or hold others.
  private var readsForeignWeights: Bool {
    guard let path = model.pretrained_model ?? model.pretrained_encoder else { return model.model == nil }
    return !FileSystem.isFolder(path)
  }

  private var idleModel: Idle {
    let reason = "there are trained vectors with --prompt_ft only"
    return [
      ("--ctx_length", model.ctx_length != 30 && !model.prompt_ft, reason),
      ("--ctx_init", model.ctx_init != "random" && !model.prompt_ft, reason),
      (
        "--train_embed", model.train_embed && model.freeze_llm && !optimizer.loss.img_cls_ft,
        "--freeze_llm wins"
      ),
      (
        "--no_feature_cache",
        model.no_feature_cache && !model.freeze_vit && !model.freeze_llm,
        "no tower is frozen as a whole"
      ),
    ]
  }

  private var idleRows: Idle {
    let takesAll = data.data_pct == 1
    return [
      ("--train_sub_set", data.train_sub_set && takesAll, "--data_pct 1 takes all rows"),
      ("--keep_size", data.keep_size && takesAll, "--data_pct 1 takes all rows"),
      ("--embed", data.embed && data.rsna, "--rsna wins"),
    ]
  }

  private var idleProcess: Idle {
    [
      ("--spike_z", run.guards.spike_z != 8 && run.guards.on_spike == .off, "--on_spike is off"),
      ("--trace_steps", run.log.trace_steps != 20 && run.log.trace == nil, "there is no --trace"),
    ]
  }

  /// A warning where the learning rate runs the other way round; nil where it does not.
  var rateWarning: String? {
    let (peak, floor) = (optimizer.learning_rate, optimizer.min_lr)
    guard !run.eval, floor > peak else { return nil }
    return
      "--min_lr \(floor) is above --learning_rate \(peak): the rate falls where it should rise, and rises "
      + "where it should fall."
  }
}
