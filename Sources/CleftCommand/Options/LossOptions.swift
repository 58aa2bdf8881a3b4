import ArgumentParser

/// What is made smaller.
struct LossOptions: ParsableArguments {
  @Flag(help: "Captions that read alike are one another's positives too, instead of negatives.")
  var multi_positive = false

  @Option(
    help: .value(
      "name",
      "contrastive (both softmax directions summed, as published) or siglip (a sigmoid for each pair)."))
  var loss = "contrastive"

  @Flag(help: "Accumulated batches share their negatives: features of all of them first, then each again.")
  var cached_negatives = false

  @Flag(help: "Ranks share their negatives, which as published they do not.")
  var gather_features = false

  @Option(
    help: .value(
      "factor",
      "Highest factor of the scores, for example 100: exp(logit_scale) is kept at or below it. Default: none."
    ))
  var max_logit_scale: Float?

  @Flag(help: "Train the image tower as a classifier of the dataset's classes; no text is read.")
  var img_cls_ft = false

  @Option(
    help: .value(
      "outputs",
      """
      Outputs of the classifier of --img_cls_ft, at least as many as the dataset has classes. Default: as many, with \
      --compat reference 1000 as published.
      """))
  var num_classes: Int?

  @Flag(help: "With --prompt_ft: learn to tell the class prompts apart instead of matching captions.")
  var class_wise = false

  @Flag(help: "With --img_cls_ft or --class_wise: several classes at once, each by a sigmoid.")
  var multi_label_loss = false

  mutating func validate() throws {
    try requireOption("loss", loss, among: ["contrastive", "siglip"])
    if let num_classes { try requireOption(num_classes >= 1, "num_classes", num_classes, "at least 1") }
    if let max_logit_scale {
      try requireOption(
        max_logit_scale > 0 && max_logit_scale.isFinite, "max_logit_scale", max_logit_scale,
        "a finite number above 0")
    }
  }
}
