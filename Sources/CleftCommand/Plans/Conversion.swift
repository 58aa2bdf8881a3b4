import CleftAdapters
import CleftData
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// One conversion from a source to a format.
struct Conversion {
  let source: String
  let out: String
  let dtype: DType?
  let options: ModelOptions

  private typealias Named = (key: String, tensor: Tensor)

  /// Writes the target.
  ///
  /// - Returns: one line for everything that was left out.
  func run(_ format: ConvertCommand.Format) throws -> [String] {
    guard FileSystem.exists(source) else {
      throw FormatError.missing(Problem(source, found: "no such file or folder", hint: "Check the path."))
    }
    if FileSystem.exists(source + "/adapter_config.json") { return try adapterFolder(format) }
    // Re-writing a file of both towers under its own keys needs no model.
    let isRewrite = [.safetensors, .pth].contains(format) && !FileSystem.isFolder(source)
    if try !isRewrite && isPair() {
      let loaded = try ModelSource(options: options, quirks: .fixed, seed: 0).checkpoint(source)
      return try pair(loaded, format) + loaded.notes
    }
    switch format {
    case .hf: return try textFolder()
    case .safetensors, .pth: return try weightsFile(format)
    default:
      throw TrainingError.badConfiguration(
        Problem(
          "--to \(format.rawValue)", found: "\(source), weights of one tower",
          expected: "hf, safetensors or pth; a checkpoint of both towers for \(format.rawValue)"))
    }
  }

  /// Whether the source holds both towers.
  private func isPair() throws -> Bool {
    if FileSystem.isFolder(source) { return !FileSystem.exists(source + "/config.json") && !hasWeights }
    return try WeightsFiles.open(source).entries.keys.contains { $0.hasPrefix(KeyMap.textPrefix) }
  }

  private var hasWeights: Bool {
    WeightsFiles.names.contains { FileSystem.exists("\(source)/\($0)") }
      && !FileSystem.exists(source + "/state.json")
  }

  // MARK: - Both towers

  private func pair(_ loaded: LoadedModel, _ format: ConvertCommand.Format) throws -> [String] {
    let (model, description) = (loaded.encoder, loaded.description)
    // A folder of ours holds float32; a file is written as it was.
    let dtype = try dtype ?? (FileSystem.isFolder(source) ? .float32 : widestType(WeightsFiles.open(source)))
    let metadata = [
      "format": "pt", "cleft_model": PublishedState.storedDescription(description),
      "cleft_tokenizer": loaded.tokenizer.tokenizerJSON,
    ]
    let isDoRA = (description.adapter?.config as? LoRAConfig)?.usesDoRA == true
    if isDoRA, [.ckpt, .safetensors, .pth].contains(format) {
      throw TrainingError.badConfiguration(
        Problem(
          "--to \(format.rawValue)", found: "DoRA, which the published program does not know",
          expected: "another method", hint: "Use 'cleft merge' first, or --to peft."))
    }
    switch format {
    case .ckpt:
      let training = try PublishedTraining(
        model, description, checkpoint: FileSystem.isFolder(source) ? Checkpoint.locate(source) : nil,
        step: loaded.step)
      try TorchWriter.write(
        stateDict: PublishedState.tensors(model, description), values: training.values,
        references: training.tensors, dtype: dtype, to: out)
    case .safetensors:
      try SafeTensorsWriter.write(
        PublishedState.tensors(model, description), metadata: metadata, dtype: dtype, to: out)
    case .pth:
      try TorchWriter.write(
        stateDict: PublishedState.tensors(model, description), dtype: dtype, isBare: true, to: out)
    case .peft:
      let tower = model.text.model
      let method = try method(description)
      try AdapterFolder.write(
        tower, method, base: .init(description.encoder.text, name: nil), dtype: dtype, into: out)
      var left: [String] = []
      if description.prompt != nil, let adapter = description.adapter {
        left.append(
          "only the vectors in front of captions are written; the \(adapter.method) below them is not")
      }
      if let adapter = description.imageAdapter {
        left.append("the image tower's \(adapter.method) is not written: PEFT's folder is the text tower's")
      }
      return left
    case .hf:
      if description.adapter != nil || description.prompt != nil {
        throw TrainingError.badConfiguration(
          Problem(
            "--to hf", found: "a text tower with an adapter", expected: "one without",
            hint: "Use 'cleft merge' first, or --to peft for the adapter alone."))
      }
      try HuggingFaceFolder.write(
        model.text.model, config: description.encoder.text, dtype: dtype, into: out)
      try FileSystem.write(Data(loaded.tokenizer.tokenizerJSON.utf8), to: out + "/tokenizer.json")
    case .tower:
      if description.imageAdapter != nil {
        throw TrainingError.badConfiguration(
          Problem(
            "--to tower", found: "an image tower with an adapter", expected: "one without",
            hint: "Use 'cleft merge' first."))
      }
      try SafeTensorsWriter.write(
        named(model.image.model), metadata: ["format": "pt"], dtype: dtype, to: out)
    }
    let leavesBias = description.encoder.hasLogitBias && [.ckpt, .safetensors, .pth].contains(format)
    return leavesBias
      ? ["logit_bias is not written: the published program has none, and no ranking of scores depends on it"]
      : []
  }

  private func method(_ description: ModelDescription) throws -> AdapterFolder.Method {
    // Vectors in front of captions were trained last, over the adapter below.
    if let prompt = description.prompt { return .prompt(prompt) }
    if let adapter = description.adapter { return .adapter(adapter) }
    throw TrainingError.badConfiguration(
      Problem(
        "--to peft", found: "\(source), a text tower without an adapter", expected: "one with an adapter"))
  }

  // MARK: - One tower, or any file

  private func textFolder() throws -> [String] {
    let config = try TowerFiles.textConfig(source)
    let tower = config.makeTower()
    let file = try WeightsFiles.open(source)
    let notes = try TowerFiles.load(file, into: tower, isStrict: !options.non_strict)
    try HuggingFaceFolder.write(
      tower, config: config, original: source + "/config.json", dtype: dtype ?? widestType(file), into: out)
    try HuggingFaceFolder.copyTokenizer(from: source, to: out)
    return notes
  }

  private func weightsFile(_ format: ConvertCommand.Format) throws -> [String] {
    let file = try WeightsFiles.open(source)
    let type = dtype ?? widestType(file)
    var tensors: [Named] = []
    var integers: [IntegerTensor] = []
    for (key, entry) in file.entries.sorted(by: { $0.key < $1.key }) {
      if entry.dtype.isFloatingPoint {
        tensors.append((key, try file.tensor(key)))
      } else {
        integers.append(try IntegerTensor(key, of: file))
      }
    }
    if format == .pth {
      try TorchWriter.write(stateDict: tensors, integers: integers, dtype: type, isBare: true, to: out)
    } else {
      try SafeTensorsWriter.write(
        tensors, integers: integers, metadata: ["format": "pt"].merging(file.metadata) { $1 }, dtype: type,
        to: out)
    }
    let doubles = file.entries.values.count { $0.dtype == .float64 }
    return doubles > 0 ? ["\(file.path): \(doubles) tensors of float64 are written as \(type.rawValue)"] : []
  }

  private func named(_ module: any Module) -> [Named] { module.cells().map { ($0.path, $0.cell.value) } }

  // MARK: - An adapter

  private func adapterFolder(_ format: ConvertCommand.Format) throws -> [String] {
    let folder = try AdapterFolder(source)
    switch format {
    case .peft: return try folder.rewrite(into: out, dtype: dtype ?? widestType(folder.file))
    case .safetensors, .pth: return try weightsFile(format)
    default:
      throw TrainingError.badConfiguration(
        Problem(
          "--to \(format.rawValue)", found: "\(source), an adapter", expected: "peft, safetensors or pth"))
    }
  }
}

extension AdapterBase {
  /// What PEFT wants to know of a text tower.
  init(_ config: any TextTowerConfig, name: String?) {
    let keyWidth = config.hiddenSize / config.headCount * config.keyValueHeadCount
    self.init(
      name: name, taskType: config.isCausal ? "CAUSAL_LM" : "FEATURE_EXTRACTION",
      tokenSize: config.hiddenSize, keySize: keyWidth, depth: config.depth,
      headCount: config.keyValueHeadCount)
  }
}

/// Adapters put into weights, written as a checkpoint or a Hugging Face folder.
enum Merge {
  /// Writes a checkpoint without adapters and returns its folder.
  static func checkpoint(_ loaded: LoadedModel, of source: String, into out: String) throws -> String {
    let step = loaded.step
    var description = loaded.description
    let merged = MergedAdapters(loaded.encoder)
    if merged.paths.isEmpty {
      throw TrainingError.badConfiguration(
        Problem(
          source, found: "no adapter that can be merged", expected: "LoRA, AdaLoRA or IA3",
          hint: "Prefixes and prompt vectors are no part of any weight."))
    }
    description.imageAdapter = nil
    if loaded.encoder.text.model.prefix == nil { description.adapter = nil }
    let contents = Checkpoint.Contents(
      model: loaded.encoder, description: description, optimizer: nil,
      tokenizerJSON: loaded.tokenizer.tokenizerJSON, state: RunState(step: step, settings: [:]))
    return try Checkpoint.write(contents, into: out)
  }

  /// Writes a Hugging Face folder of a text tower with a PEFT adapter in its weights.
  ///
  /// - Returns: one line for each key of the base that was left out.
  static func folder(
    _ base: String, adapter path: String, dtype: DType?, isStrict: Bool, into out: String
  ) throws -> [String] {
    let config = try TowerFiles.textConfig(base)
    let tower = config.makeTower()
    let file = try WeightsFiles.open(base)
    let notes = try TowerFiles.load(file, into: tower, isStrict: isStrict)
    let adapter = try AdapterFolder(path)
    try adapter.apply(to: tower, tower.names.adapterTargets)
    if MergedAdapters(tower).paths.isEmpty {
      throw TrainingError.badConfiguration(
        Problem(
          path, found: "an adapter that is no part of any weight", expected: "LoRA, AdaLoRA or IA3"))
    }
    try HuggingFaceFolder.write(
      tower, config: config, original: base + "/config.json", dtype: dtype ?? .float32, into: out)
    try HuggingFaceFolder.copyTokenizer(from: base, to: out)
    return notes
  }
}

/// The widest floating type in a file that can be written, so that nothing is rounded.
private func widestType(_ file: any WeightsFile) -> DType {
  let types = Set(file.entries.values.map(\.dtype).filter(\.isFloatingPoint))
  return types.count == 1 && types != [.float64] ? types.first ?? .float32 : .float32
}

/// Where a command writes: nothing that is there already, unless asked to.
enum Output {
  /// Fails if a file, or a folder with something in it, is in the way.
  static func requireFree(_ path: String, overwrites: Bool) throws {
    if overwrites || !FileSystem.exists(path) { return }
    if FileSystem.isFolder(path), FileSystem.list(path).isEmpty { return }
    throw FormatError.system(
      Problem(
        "--out \(path)", found: "something there already", expected: "a new name",
        hint: "Choose another one, or pass --overwrite."))
  }
}
