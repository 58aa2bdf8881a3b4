import ArgumentParser
import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// `cleft convert`: the same values in another format.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Write weights, adapters or checkpoints in another format.",
    discussion: """
      SOURCE may be a checkpoint or run folder, one file of both towers (Lightning's .ckpt), any weights file, a Hugging \
      Face folder or a PEFT folder. Formats: ckpt (Lightning's, as the published program reads it), safetensors and pth \
      (the same keys; of a checkpoint CLEFT's), hf (Hugging Face folder of the text tower), peft (folder of the text \
      tower's adapter), tower (the image tower under its hub's names).
      """)

  /// What to write.
  enum Format: String, ExpressibleByArgument, CaseIterable { case ckpt, safetensors, pth, hf, peft, tower }

  @Argument(help: "What to convert.") var source: String
  @Option(help: "Format: \(Format.allCases.map(\.rawValue).joined(separator: ", ")).") var to: Format
  @Option(help: "File or folder to write.") var out: String
  @Option(help: "Type of the numbers: F32, BF16 or F16; default: the source's.") var dtype: String?
  @Flag(help: "Replace what is there.") var overwrite = false
  @OptionGroup(title: "Model") var model: ModelOptions

  mutating func validate() throws {
    if model.adapters.adapter != nil {
      throw ValidationError("--adapter is for 'cleft merge', which puts it into the weights.")
    }
    if let dtype, !["F32", "BF16", "F16"].contains(dtype) {
      throw ValidationError("--dtype is '\(dtype)'; expected F32, BF16 or F16.")
    }
  }

  func run() throws {
    try Output.requireFree(out, overwrites: overwrite)
    let conversion = Conversion(source: source, out: out, dtype: dtype.flatMap(DType.init), options: model)
    for line in try conversion.run(to) { FileHandle.standardError.write(Data("cleft: \(line)\n".utf8)) }
    print(out)
  }
}

/// `cleft merge`: adapters into the weights they belong to.
struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", abstract: "Put an adapter's effect into the weights and take the adapter out.",
    discussion: """
      Either SOURCE is a checkpoint, run or Lightning file, and a checkpoint without adapters is written; or --text_model \
      and --adapter name a Hugging Face folder and a PEFT folder, and a Hugging Face folder is written.
      """)

  @Argument(help: "Checkpoint or run folder, or one file of both towers.") var source: String?
  @Option(help: "Folder to write.") var out: String
  @Option(
    help:
      "Type of a Hugging Face folder's numbers: F32, BF16 or F16; default F32, so that the sum is not rounded."
  )
  var dtype: String?
  @Flag(help: "Replace what is there.") var overwrite = false
  @OptionGroup(title: "Model") var model: ModelOptions

  mutating func validate() throws {
    if let dtype, !["F32", "BF16", "F16"].contains(dtype) {
      throw ValidationError("--dtype is '\(dtype)'; expected F32, BF16 or F16.")
    }
    if source == nil, model.adapters.adapter == nil {
      throw ValidationError("Give SOURCE, or --text_model with --adapter.")
    }
    if source != nil, model.adapters.adapter != nil {
      throw ValidationError("Give either SOURCE or --adapter: a checkpoint has its own adapter.")
    }
  }

  func run() throws {
    try Output.requireFree(out, overwrites: overwrite)
    if let source {
      let loaded = try ModelSource(options: model, quirks: .fixed, seed: 0).checkpoint(source)
      say(loaded.notes)
      print(try Merge.checkpoint(loaded, of: source, into: out))
      return
    }
    say(
      try Merge.folder(
        try TowerFiles.textFolder(model), adapter: model.adapters.adapter ?? "",
        dtype: dtype.flatMap(DType.init), isStrict: !model.non_strict, into: out))
    print(out)
  }

  private func say(_ notes: [String]) {
    for line in notes { FileHandle.standardError.write(Data("cleft: \(line)\n".utf8)) }
  }
}
