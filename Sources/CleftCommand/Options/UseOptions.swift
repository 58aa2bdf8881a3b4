import ArgumentParser
import CleftData
import CleftFormats
import CleftModels
import CleftTensor
import Foundation

/// A trained model that is put to use, and how it computes.
///
/// What is not said is as in the run that the model comes from.
struct UseOptions: ParsableArguments {
  /// Pictures or texts that go through a tower at a time, as the published program evaluates.
  static let usualBatchSize = 32

  @Option(
    help: .value(
      "path", "The model: a run or checkpoint folder, or one file of both towers. Has no default; name one."))
  var pretrained_model: String?

  @Option(
    help: .value(
      "folder", "Downloaded weights under their published names, searched before the caches. Default: none."))
  var model_dir: String?

  @Option(
    help: .value(
      "name", "Text tower of a file that does not say it: a name or folder. Default: by --llm_type."))
  var text_model: String?

  @Option(help: .value("kind", "Kind of text tower of a file that does not say it: gpt, llama, bert."))
  var llm_type = "gpt"

  @Option(help: .value("path", "Tokenizer of a file that has none in it. Default: the text tower's."))
  var tokenizer: String?

  @Flag(help: "In a file that does not say it, the image feature is the mean of all tokens.")
  var pool_feat = false

  @Option(
    help: .value("rule", "Caption's feature: eos, first_pad, last_word, first. Default: the model's."))
  var pool_token: PooledToken?

  @Option(help: .value("pixels", "Side of the pictures that the model sees. Default: the model's."))
  var image_size: Int?

  @Flag(help: "Texts are read as they are written; without it in lowercase, as prompts of datasets are.")
  var as_written = false

  @Option(
    help: .value("type", "32; bf16-true, bf16-mixed or bf16: large products take bfloat16 factors."))
  var precision = "32"

  @Option(
    help: .value(
      "program", "Where the published program has a defect: fixed, or reference for what it does."))
  var compat: Compatibility = .fixed

  @Option(
    help: .value(
      "name=on|off",
      "One published quirk, or several separated by commas; 'cleft quirks' lists them. Default: as --compat says."
    ))
  var quirk: [String] = []

  @Option(
    help: .value(
      "threads", "Threads for computing, at least 1. Default: the processors this process may use."))
  var threads: Int?

  @Option(help: .value("count", "Pictures or texts at a time, at least 1."))
  var batch_size = UseOptions.usualBatchSize

  @Flag(help: "Print results as one JSON object.")
  var json = false

  mutating func validate() throws {
    try requireOption((1...65_536).contains(batch_size), "batch_size", batch_size, "1 ... 65536")
    // The rest has the rules that training has.
    _ = try parsed { try ModelOptions.parse(modelArguments) }
    _ = try parsed { try RunOptions.parse(runArguments) }
  }
}

extension UseOptions {
  /// How the model and texts are read and computed, as it would be typed; paths are absolute.
  var readingArguments: [String] {
    modelArguments + precisionArguments + (as_written ? ["--as_written"] : [])
  }

  private var precisionArguments: [String] {
    ["--precision=\(precision)", "--compat=\(compat.rawValue)"]
      + (quirk.isEmpty ? [] : ["--quirk=\(quirk.joined(separator: ","))"])
  }

  private var modelArguments: [String] {
    let values: [(name: String, value: String?)] = [
      ("model_dir", model_dir.map(Self.absolute)), ("text_model", text_model.map(Self.absoluteIfThere)),
      ("llm_type", llm_type), ("tokenizer", tokenizer.map(Self.absoluteIfThere)),
      ("pool_token", pool_token?.rawValue), ("image_size", image_size.map(String.init)),
    ]
    return values.compactMap { name, value in value.map { "--\(name)=\($0)" } }
      + (pool_feat ? ["--pool_feat"] : [])
  }

  private var runArguments: [String] {
    precisionArguments + ["--eval"] + (threads.map { ["--threads=\($0)"] } ?? [])
      + (json ? ["--json"] : [])
  }

  private static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
  }

  /// A path as an absolute one; a published name stays as it is.
  private static func absoluteIfThere(_ path: String) -> String {
    FileSystem.exists(path) ? absolute(path) : path
  }

  /// The model's path as the system takes it; nil where none is named.
  var path: String? { pretrained_model.map { ($0 as NSString).expandingTildeInPath } }

  /// The options that an evaluation of the model would have.
  ///
  /// - Parameter data: the dataset, if any; the usual options without.
  func evaluation(_ data: DataOptions? = nil) throws -> TrainOptions {
    let named = path.map { ["--pretrained_model=\($0)"] } ?? []
    let model = try parsed { try ModelOptions.parse(modelArguments + named) }
    let run = try parsed { try RunOptions.parse(runArguments) }
    return TrainOptions(
      model: model, data: try data ?? DataOptions.parse([]), optimizer: try OptimizerOptions.parse([]),
      run: run)
  }

  /// What a group of options makes of these; its refusal is one of this command.
  private func parsed<Group: ParsableArguments>(_ body: () throws -> Group) throws -> Group {
    do { return try body() } catch { throw ValidationError(Group.message(for: error)) }
  }
}
