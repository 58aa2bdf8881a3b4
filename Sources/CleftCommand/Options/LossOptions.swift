import ArgumentParser

/// What is made smaller.
struct LossOptions: ParsableArguments {
  @Flag(help: "Captions that read alike are one another's positives too, instead of negatives.")
  var multi_positive = false

  @Option(
    help: "contrastive (both softmax directions summed, as published) or siglip (a sigmoid for each pair).")
  var loss = "contrastive"

  @Flag(help: "Accumulated batches share their negatives: features of all of them first, then each again.")
  var cached_negatives = false

  @Flag(help: "Ranks share their negatives, which as published they do not.")
  var gather_features = false

  @Option(
    help: "Highest logit scale, for example 100: the learned factor exp(logit_scale) is kept at or below it.")
  var max_logit_scale: Float?

  @Flag(help: "Train the image tower as a classifier of the dataset's classes; no text is read.")
  var img_cls_ft = false

  @Option(help: "Width of the classifier for --img_cls_ft; default: as many as the dataset has classes.")
  var num_classes: Int?

  @Flag(help: "With --prompt_ft: learn to tell the class prompts apart instead of matching captions.")
  var class_wise = false

  @Flag(help: "With --img_cls_ft or --class_wise: several classes at once, each by a sigmoid.")
  var multi_label_loss = false
}
