import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

/// Where a run stands, besides weights and optimizer state.
public struct RunState: Codable, Sendable, Equatable {
  /// Optimizer steps done.
  public var step: Int
  /// What the loop carries along.
  public var progress: RunProgress
  /// Settings that decide the numbers; a resumed run must have the same.
  public var settings: [String: String]
  /// Fingerprint of each file of the checkpoint.
  public var checksums: [String: String]

  /// Makes a state.
  public init(
    step: Int, progress: RunProgress = RunProgress(), settings: [String: String],
    checksums: [String: String] = [:]
  ) {
    self.step = step
    self.progress = progress
    self.settings = settings
    self.checksums = checksums
  }
}

/// Writing and reading checkpoint folders.
///
/// `model.json`, `model.safetensors`, `optimizer.safetensors`, `tokenizer.json`, `state.json`. A folder is written under
/// another name, read back and compared, and only then renamed: one that has its name is whole.
public enum Checkpoint {
  /// Name of the folder of a step.
  public static func folderName(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// Everything that goes into a checkpoint.
  public struct Contents {
    /// The model.
    public var model: any Module
    /// How to build it again.
    public var description: any StoredModel
    /// The optimizer, nil for weights alone.
    public var optimizer: (any Optimizer)?
    /// Text of `tokenizer.json`; nil for a model without text.
    public var tokenizerJSON: String?
    /// Where the run stands.
    public var state: RunState

    /// Collects the contents.
    public init(
      model: any Module, description: any StoredModel, optimizer: (any Optimizer)?, tokenizerJSON: String?,
      state: RunState
    ) {
      self.model = model
      self.description = description
      self.optimizer = optimizer
      self.tokenizerJSON = tokenizerJSON
      self.state = state
    }

    /// Bytes that writing takes, roughly.
    var byteCount: Int {
      4
        * (model.cells().reduce(0) { $0 + $1.cell.shape.count }
          + (optimizer?.state.reduce(0) { $0 + $1.tensor.count } ?? 0))
    }
  }

  /// Writes a checkpoint into `folder` and returns its path.
  ///
  /// - Throws: `FormatError.system` if the disk is full or refuses; nothing is left behind then.
  @discardableResult
  public static func write(_ contents: Contents, into folder: String) throws -> String {
    let final = "\(folder)/\(folderName(step: contents.state.step))"
    let partial = final + ".partial"
    try FileSystem.makeFolder(folder)
    try? FileManager.default.removeItem(atPath: partial)
    if let free = FileSystem.freeBytes(folder), free < contents.byteCount + (1 << 20) {
      throw FormatError.system(
        Problem(
          final, found: "\(free >> 20) MiB free",
          expected: "\(contents.byteCount >> 20 + 1) MiB for a checkpoint",
          hint: "Free space or choose another --log_dir."))
    }
    do {
      try FileSystem.makeFolder(partial)
      try write(contents, files: partial)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
    FileSystem.synchronizeFolder(partial)
    // A checkpoint of the same step keeps its files until the new one has its name.
    let old = final + ".old.partial"
    if FileSystem.exists(final) { rename(final, old) }
    guard rename(partial, final) == 0 else {
      let reason = String(cString: strerror(errno))
      rename(old, final)
      try? FileManager.default.removeItem(atPath: partial)
      throw FormatError.system(Problem(final, found: "cannot be renamed (\(reason))"))
    }
    try? FileManager.default.removeItem(atPath: old)
    FileSystem.synchronizeFolder(folder)
    return final
  }

  private static func write(_ contents: Contents, files folder: String) throws {
    let weights = contents.model.cells().map { (key: $0.path, tensor: $0.cell.peek()) }
    var checksums: [String: String] = [:]
    func tensors(_ name: String, _ tensors: [(key: String, tensor: Tensor)]) throws {
      try SafeTensorsWriter.write(tensors, to: "\(folder)/\(name)")
      let written = try SafeTensorsFile("\(folder)/\(name)")
      for (key, tensor) in tensors {
        let copy = try written.tensor(key)
        // What was compared need not stay in memory.
        defer { copy.forget() }
        if sameBytes(copy, tensor) { continue }
        throw FormatError.system(
          Problem(
            "\(folder)/\(name): \(key)", found: "other bytes than were written", hint: "Check the disk."))
      }
      checksums[name] = try Checksum.ofFile("\(folder)/\(name)")
    }
    try tensors("model.safetensors", weights)
    if let optimizer = contents.optimizer { try tensors("optimizer.safetensors", optimizer.state) }
    func text(_ name: String, _ text: String) throws {
      try FileSystem.write(Data(text.utf8), to: "\(folder)/\(name)")
      checksums[name] = Checksum.of(text)
    }
    try text("model.json", jsonText(contents.description, pretty: true))
    if let json = contents.tokenizerJSON { try text("tokenizer.json", json) }
    var state = contents.state
    state.checksums = checksums
    try FileSystem.write(Data(jsonText(state, pretty: true).utf8), to: "\(folder)/state.json")
  }

  private static func sameBytes(_ a: Tensor, _ b: Tensor) -> Bool {
    a.shape == b.shape && a.read { left in b.read { memcmp(left, $0, 4 * a.count) == 0 } }
  }
}
