import ArgumentParser

/// Trained vectors in front of captions.
struct PromptOptions: ParsableArguments {
  @Flag(help: "Train vectors in front of every caption, with the text side frozen.")
  var prompt_ft = false

  @Option(help: .value("vectors", "Number of trained vectors of --prompt_ft, 1 ... 100000."))
  var ctx_length = 30

  @Option(help: .value("start", "Start of the vectors: caption (the words of the base caption) or random."))
  var ctx_init = "random"

  mutating func validate() throws {
    try requireOption((1...100_000).contains(ctx_length), "ctx_length", ctx_length, "1 ... 100000")
    try requireOption("ctx_init", ctx_init, among: ["caption", "random"])
  }
}
