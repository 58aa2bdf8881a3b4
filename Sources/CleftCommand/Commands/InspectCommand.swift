import ArgumentParser
import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftTraining
import Foundation

/// `cleft inspect`: what is in a weights file, or how many parameters a model has.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Say what a weights file, adapter or checkpoint holds, or count a model's parameters.",
    discussion: """
      FILE may be safetensors, an index of shards, a PyTorch file (nothing in it is executed), a PEFT, Hugging Face, \
      checkpoint or run folder. --params counts the model that the other options describe, as 'cleft train' would \
      build it; alone, it counts the published recipes.
      """)

  @Argument(help: "File or folder to look into.") var file: String?
  @Flag(help: "Count parameters instead, without making any.") var params = false
  @Flag(help: "Print a fingerprint of every tensor's values.") var hashes = false
  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Data") var data: DataOptions
  @OptionGroup(title: "Optimizer") var optimizer: OptimizerOptions
  @OptionGroup(title: "Run") var run_: RunOptions

  mutating func validate() throws {
    if (file == nil) == !params { throw ValidationError("Give either FILE or --params.") }
  }

  func run() throws {
    if params {
      let reports = try ParameterCounts(options: model, quirks: run_.quirks).reports()
      print(run_.json ? jsonText(reports, pretty: true) : ParameterCounts.text(reports))
      return
    }
    guard let file else { return }
    let contents = try FileContents(file, withHashes: hashes)
    print(run_.json ? jsonText(contents, pretty: true) : contents.text)
  }
}

/// Everything that a weights file or folder says about itself.
struct FileContents: Encodable {
  struct Row: Encodable {
    let key: String
    let dtype: String
    let shape: [Int]
    let hash: String?
  }

  let path: String
  let format: String
  let tensors: [Row]
  let values: Int
  let bytes: Int
  let metadata: [String: String]
  let notes: [String]

  init(_ path: String, withHashes: Bool) throws {
    let place = try Self.locate(path)
    let file = try WeightsFiles.open(place)
    self.path = file.path
    format = Self.format(file)
    tensors = try file.entries.sorted { $0.key < $1.key }.map { key, entry in
      Row(
        key: key, dtype: entry.dtype.rawValue, shape: entry.shape.dimensions,
        hash: withHashes && entry.dtype.isFloatingPoint ? Self.hash(try file.tensor(key)) : nil)
    }
    values = file.entries.values.reduce(0) { $0 + $1.shape.count }
    bytes = file.entries.values.reduce(0) { $0 + $1.byteCount }
    metadata = file.metadata
    notes = try Self.notes(place, file)
  }

  /// A run or checkpoint folder's weights, or the path itself.
  private static func locate(_ path: String) throws -> String {
    guard FileSystem.isFolder(path),
      !WeightsFiles.names.contains(where: { FileSystem.exists("\(path)/\($0)") })
    else { return path }
    return try Checkpoint.locate(path)
  }

  private static func format(_ file: any WeightsFile) -> String {
    switch file {
    case is TorchArchive: "PyTorch"
    case let sharded as ShardedSafeTensors: "\(sharded.shards.count) shards"
    default: "safetensors"
    }
  }

  private static func hash(_ tensor: Tensor) -> String {
    tensor.read { Checksum.of(UnsafeRawBufferPointer(start: $0, count: 4 * tensor.count)) }
  }

  /// What stands beside the tensors: hyper-parameters, adapter settings, the model's description.
  private static func notes(_ path: String, _ file: any WeightsFile) throws -> [String] {
    var notes: [String] = []
    if let archive = file as? TorchArchive {
      for name in archive.valueNames {
        guard let value = archive.value(name) else { continue }
        if name == "hyper_parameters", case .dictionary(let entries) = value {
          notes += entries.map { "\(name).\($0.key): \($0.value)" }
        } else {
          notes.append("\(name): \(short(value))")
        }
      }
    }
    let folder = FileSystem.isFolder(path) ? path : (path as NSString).deletingLastPathComponent
    for name in ["adapter_config.json", "config.json", "model.json"]
    where FileSystem.isFolder(path) && FileSystem.exists("\(folder)/\(name)") {
      let text = String(decoding: try FileSystem.read("\(folder)/\(name)"), as: UTF8.self)
      notes += ["\(name):"] + text.split(separator: "\n").map { "  \($0)" }
    }
    return notes
  }

  private static func short(_ value: TorchValue) -> String {
    let text = "\(value)"
    return text.count > 160 ? text.prefix(157) + "..." : text
  }

  var text: String {
    var lines = ["\(path): \(format), \(tensors.count) tensors, \(values) values, \(bytes) bytes"]
    let width = tensors.map(\.key.count).max() ?? 0
    for row in tensors {
      let padding = String(repeating: " ", count: width - row.key.count + 2)
      let shape = row.shape.isEmpty ? "scalar" : row.shape.map(String.init).joined(separator: "x")
      lines.append("\(row.key)\(padding)\(row.dtype)  \(shape)\(row.hash.map { "  \($0)" } ?? "")")
    }
    lines += metadata.sorted { $0.key < $1.key }.map { "metadata \($0.key): \($0.value)" }
    return (lines + notes).joined(separator: "\n")
  }
}
