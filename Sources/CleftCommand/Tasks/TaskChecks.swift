import CleftFormats
import CleftTraining

/// Options that a task would ignore or that contradict it.
///
/// Nothing that a user asks for is passed over in silence: a task names what has no place in it.
struct TaskChecks {
  let options: TrainOptions

  /// An option with whether it is given.
  typealias Given = [(name: String, isGiven: Bool)]

  /// Which pairs count as matches and as negatives: for tasks that compare the samples of a batch.
  var negatives: Given {
    let loss = options.optimizer.loss
    return [
      ("--multi_positive", loss.multi_positive), ("--loss \(loss.loss)", loss.loss != "contrastive"),
      ("--cached_negatives", loss.cached_negatives), ("--gather_features", loss.gather_features),
    ]
  }

  /// How classes are told apart.
  var classes: Given {
    let loss = options.optimizer.loss
    return [("--class_wise", loss.class_wise), ("--multi_label_loss", loss.multi_label_loss)]
  }

  /// What changes a text tower, or the scores of pairs.
  var text: Given {
    let (model, loss) = (options.model, options.optimizer.loss)
    return [
      ("--prompt_ft", model.prompt_ft), ("--class_wise", loss.class_wise),
      ("--peft", model.adapters.peft != nil), ("--adapter", model.adapters.adapter != nil),
      ("--adalora_allocate", model.adapters.adalora_allocate),
      ("--max_logit_scale", loss.max_logit_scale != nil),
    ]
  }

  /// What only says how a text tower is read or trained, and does no harm without one.
  var idleText: Given {
    let model = options.model
    return [
      ("--text_model", model.text_model != nil), ("--text_layers", model.text_layers != nil),
      ("--text_dropout", model.text_dropout != nil), ("--tokenizer", model.tokenizer != nil),
      ("--pool_token", model.pool_token != nil),
      ("--caption_length", options.data.captions.caption_length != nil),
      ("--negative_prompt", options.data.captions.negative_prompt), ("--emb_dim", model.emb_dim != nil),
      ("--linear_proj", model.linear_proj), ("--softmax_temperature", model.softmax_temperature != nil),
      ("--inherit_logit_scale", model.inherit_logit_scale), ("--freeze_llm", model.freeze_llm),
      ("--train_embed", model.train_embed), ("--unlock_ln", model.unlock_ln),
      ("--num_freeze_blocks", model.num_freeze_blocks > 0),
    ]
  }

  /// Fails if one of some options is given.
  ///
  /// - Parameters:
  ///   - task: the task's name, with the option that chooses it.
  ///   - reason: why they have no place in it.
  func refuse(_ given: Given, in task: String, _ reason: String) throws(TrainingError) {
    for option in given where option.isGiven {
      throw .badConfiguration(
        Problem(option.name, found: "with \(task)", expected: "without it: \(reason)"))
    }
  }

  /// One line naming those of some options that are given; nil if none is.
  func note(_ given: Given, _ reason: String) -> String? {
    let names = given.filter(\.isGiven).map(\.name)
    return names.isEmpty ? nil : "\(names.joined(separator: ", ")): not read, \(reason)."
  }
}
