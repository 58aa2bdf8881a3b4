import ArgumentParser
import CleftData

/// How captions and prompts read.
struct CaptionOptions: ParsableArguments {
  @Option(help: .value("file", "YAML file with caption and prompt texts. Default: the shipped ones."))
  var captions: String?

  @Option(
    help: .value(
      "tokens",
      "Tokens of a caption that the model reads, at least 1. Default: as published for the dataset (64 to 144)."
    ))
  var caption_length: Int?

  @Flag(help: "CheXpert, and manifests with --label_columns: captions also say which findings are ruled out.")
  var negative_prompt = false

  /// Puts these options into a request.
  func fill(_ request: inout DatasetRequest) {
    request.captionFile = captions
    request.hasNegatives = negative_prompt
  }

  /// Options that only some datasets heed.
  var particular: [(name: String, isGiven: Bool)] { [("negative_prompt", negative_prompt)] }

  mutating func validate() throws {
    if let caption_length, caption_length < 1 {
      throw ValidationError("--caption_length is \(caption_length); expected at least 1.")
    }
  }
}
