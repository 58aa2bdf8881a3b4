import ArgumentParser

/// What is looked for, and how the answer looks.
struct SearchOptions: ParsableArguments {
  @Option(help: .value("words", "Text to look for. Default: none, a --image."))
  var text: String?

  @Option(help: .value("file", "Picture to look for: PNG, JPEG or DICOM. Default: none, a --text."))
  var image: String?

  @Option(help: .value("count", "Nearest rows to show, at least 1."))
  var top = 10

  @Option(help: .value("file", "PNG file to write with the pictures found, row by row. Default: none."))
  var picture: String?

  @Option(
    help: .value(
      "path", "Where the model is now, or its run or checkpoint folder. Default: where it was."))
  var pretrained_model: String?

  @Option(
    help: .value(
      "folder", "Downloaded weights under their published names, searched before the caches. Default: none."))
  var model_dir: String?

  @Option(
    help: .value(
      "threads", "Threads for computing, at least 1. Default: the processors this process may use."))
  var threads: Int?

  @Flag(help: "Print results as one JSON object.")
  var json = false

  mutating func validate() throws {
    try requireOption((1...1_000_000).contains(top), "top", top, "1 ... 1000000")
    if let threads { try requireOption(threads >= 1, "threads", threads, "at least 1") }
    if (text == nil) == (image == nil) {
      throw ValidationError(
        text == nil
          ? "Nothing to look for; expected --text or --image."
          : "--text is there together with --image; expected one of them.")
    }
    if let text, text.allSatisfy(\.isWhitespace) {
      throw ValidationError("--text is empty; expected words to look for.")
    }
  }
}
