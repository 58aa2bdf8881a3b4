import ArgumentParser
import CleftData
import CleftTensor

/// What every benchmark of a model is told.
struct BenchOptions: ParsableArguments {
  /// Where pictures come from.
  enum Pictures: String, ExpressibleByArgument, CaseIterable {
    /// JPEG files, drawn for the occasion and read as a training reads its own.
    case made
    /// One tensor of random values for all batches.
    case none
  }

  @Option(
    help: .value("tokens", "Shortest caption, at least 1 token; lengths are drawn evenly up to the longest."))
  var caption_min = 14

  @Option(help: .value("tokens", "Longest caption, no shorter; the model must have the positions."))
  var caption_max = 28

  @Option(
    help: .value(
      "source",
      """
      made: JPEG files in a temporary folder, decoded and changed as in training; none: one random tensor, no data \
      is waited for.
      """))
  var pictures = Pictures.made

  @Option(
    help: .value("blocks", "Blocks of the image tower of --model, at least 1. Default: the model's."))
  var image_depth: Int?

  @Option(
    help: .value("blocks", "Blocks of the text tower of --model, at least 1. Default: the model's."))
  var text_depth: Int?

  @Option(help: .value("threads", "Decoding threads, 0 decodes in the loop; at most the processors."))
  var num_workers = 16

  @Option(
    help: .value(
      "type", "Of large products: 32, bf16-true, bf16-mixed, as 'cleft train' has it."))
  var precision = "32"

  @Option(
    help: .value(
      "threads", "Threads for computing, at least 1. Default: the processors this process may use."))
  var threads: Int?

  @Option(help: .value("number", "Seed of everything random, from 0.")) var seed: UInt64 = 42

  @Option(
    help: .value(
      "name=on|off",
      "Published quirks to switch, as 'cleft train' has it, such as frozen_dropout=off. Default: none."))
  var quirk: [String] = []

  @Flag(help: "Print results as one JSON object.") var json = false

  mutating func validate() throws {
    try requireOption(caption_min >= 1, "caption_min", caption_min, "at least 1")
    try requireOption(
      caption_max >= caption_min && caption_max <= 1 << 20, "caption_max", caption_max,
      "--caption_min \(caption_min) ... 1048576")
    for (name, depth) in [("image_depth", image_depth), ("text_depth", text_depth)] {
      if let depth { try requireOption(depth >= 1, name, depth, "at least 1") }
    }
    try requireOption(num_workers >= 0, "num_workers", num_workers, "0 or more")
    _ = try runOptions(devices: 1)
  }

  /// The same as options of a training.
  ///
  /// - Throws: `ValidationError` in the words of `cleft train`.
  func runOptions(devices: Int) throws -> RunOptions {
    let arguments =
      ["--precision=\(precision)", "--seed=\(seed)", "--devices=\(devices)", "--accelerator=cpu"]
      + (threads.map { ["--threads=\($0)"] } ?? []) + quirk.map { "--quirk=\($0)" }
    do { return try RunOptions.parse(arguments) } catch {
      throw ValidationError(RunOptions.message(for: error))
    }
  }
}
