import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

extension Checkpoint {
  /// The folder meant by a path: a checkpoint, or the newest one of a run.
  ///
  /// - Throws: `TrainingError.missing` if there is none.
  public static func locate(_ path: String) throws(TrainingError) -> String {
    if FileSystem.exists(path + "/state.json") { return path }
    for folder in [path + "/checkpoints", path] {
      if let newest = steps(in: folder).last { return "\(folder)/\(newest)" }
    }
    throw .missing(
      Problem(
        path, found: FileSystem.exists(path) ? "no checkpoint in it" : "no such file or folder",
        expected: "a checkpoint folder (step-…), or a run folder with one"))
  }

  /// Names of the whole checkpoints in a folder, oldest first.
  public static func steps(in folder: String) -> [String] {
    FileSystem.list(folder).filter {
      $0.wholeMatch(of: /step-\d+/) != nil && FileSystem.exists("\(folder)/\($0)/state.json")
    }
  }

  /// Reads where a run stood, and checks that the files are those that were written.
  public static func readState(_ folder: String) throws -> RunState {
    let state = try RunState.read(folder)
    for (name, checksum) in state.checksums.sorted(by: { $0.key < $1.key }) {
      guard try Checksum.ofFile("\(folder)/\(name)") == checksum else {
        throw TrainingError.badData(
          Problem(
            "\(folder)/\(name)", found: "another file than was written", hint: "Use another checkpoint."))
      }
    }
    return state
  }

  /// Fills a model with a checkpoint's weights, all of them.
  ///
  /// The values are views of a private mapping of the file: only what training changes is copied. Tensors that the
  /// checkpoint refers to come from the base files.
  ///
  /// - Parameter modelFolder: where base files are looked for, besides their old places and around the checkpoint.
  /// - Throws: `TrainingError.missing` or `.badData` naming a base file that is not there or not the same.
  public static func load(_ folder: String, into model: any Module, modelFolder: String? = nil) throws {
    let file = try SafeTensorsFile(folder + "/model.safetensors")
    let folders = [modelFolder].compactMap { $0 } + BaseReferences.foldersAround(folder)
    let base = try BaseTensors(of: folder, in: folders)
    let keys = file.entries.mapValues(\.shape).merging(base.shapes) { own, _ in own }
    try model.load(
      from: file.path, keys: keys, types: { file.entries[$0]?.dtype ?? base.type($0) },
      origin: { file.entries[$0] == nil ? base.origin($0) : nil }
    ) { key in
      if file.entries[key] == nil, let tensor = try base.tensor(key) { return tensor }
      return try file.number(key)
    }
  }

  /// The tokenizer stored with a checkpoint, and its text.
  public static func tokenizer(_ folder: String) throws -> (tokenizer: any Tokenizer, json: String) {
    let path = folder + "/tokenizer.json"
    return (try TokenizerFiles.read(path), String(decoding: try FileSystem.read(path), as: UTF8.self))
  }

  /// Fills an optimizer with a checkpoint's state.
  public static func load(_ folder: String, into optimizer: any Optimizer) throws {
    let file = try SafeTensorsFile(folder + "/optimizer.safetensors")
    var state: [String: Tensor] = [:]
    for key in file.entries.keys { state[key] = try file.tensor(key) }
    try optimizer.restore(state)
  }
}
