import ArgumentParser
import CleftData

/// How captions and prompts read.
struct CaptionOptions: ParsableArguments {
  @Option(help: "YAML file with caption and prompt texts in place of the shipped ones.")
  var captions: String?

  @Option(
    help: "Tokens of a caption that the model reads; default: as published for the dataset (64 to 144).")
  var caption_length: Int?

  @Flag(help: "CheXpert: captions also say which findings the report rules out.")
  var negative_prompt = false

  @Flag(help: "EMBED: captions in the sections of a report.")
  var structural_cap = false

  @Flag(help: "EMBED: captions without side and view.")
  var simple_cap = false

  @Flag(help: "EMBED: captions in sentences.")
  var natural_cap = false

  @Flag(help: "EMBED zero-shot: each picture's own metadata stands in front of the class prompts.")
  var instance_test_cap = false

  @Flag(help: "EMBED: four classes of density instead of seven of BI-RADS.")
  var pred_density = false

  @Flag(help: "EMBED: test only on the balanced list (7 x 200 BI-RADS, 4 x 500 density).")
  var balanced_test = false

  @Flag(help: "EMBED: train only on the balanced list (7 x 550 BI-RADS, 4 x 1000 density).")
  var small_balanced_train = false

  /// Puts these options into a request.
  func fill(_ request: inout DatasetRequest) {
    request.captionFile = captions
    request.hasNegatives = negative_prompt
    request.captionFamily =
      structural_cap ? "structural" : natural_cap ? "natural" : simple_cap ? "simple" : nil
    request.usesInstanceCaptions = instance_test_cap
    request.predictsDensity = pred_density
    request.isBalancedTest = balanced_test
    request.isSmallBalancedTrain = small_balanced_train
  }

  mutating func validate() throws {
    if let caption_length, caption_length < 1 {
      throw ValidationError("--caption_length is \(caption_length); expected at least 1.")
    }
  }
}
