import CleftFormats
import CleftNN
import CleftTensor

/// Writing and reading checkpoint folders.
///
/// `model.json`, `model.safetensors`, `base.json`, `optimizer.safetensors`, `optimizer.json`, `tokenizer.json`,
/// `state.json`. A folder is written under another name, read back and compared, and only then renamed: one that has its
/// name is whole.
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
    /// Whether frozen tensors that can be read again from the files they came from are stored nevertheless.
    public var storesBase: Bool

    /// Collects the contents.
    ///
    /// - Parameter storesBase: off makes a checkpoint that is small and needs the base files.
    public init(
      model: any Module, description: any StoredModel, optimizer: (any Optimizer)?, tokenizerJSON: String?,
      state: RunState, storesBase: Bool = true
    ) {
      self.model = model
      self.description = description
      self.optimizer = optimizer
      self.tokenizerJSON = tokenizerJSON
      self.state = state
      self.storesBase = storesBase
    }

    /// Which tensors are stored and which lie in base files.
    var parts: CheckpointParts { CheckpointParts(model.cells(), storesBase: storesBase) }

    /// Bytes of the checkpoint once every trained parameter has moved.
    public var byteCount: Int {
      let optimizer = optimizer.map { $0.fullStateByteCount + OptimizerLayout($0).json.utf8.count } ?? 0
      let texts =
        jsonText(description, pretty: true).utf8.count + jsonText(state, pretty: true).utf8.count
        + (tokenizerJSON?.utf8.count ?? 0)
      // Disks hand out blocks; each file wastes half of one, and the folder takes one.
      return parts.byteCount + optimizer + texts + 5 * 4096
    }
  }
}

/// A model's cells, divided into those a checkpoint stores and those it refers to.
struct CheckpointParts {
  /// Tensors of one base file: the model's key and the file's.
  struct Base {
    let path: String
    let stamp: FileStamp
    var tensors: [String: String]
  }

  private(set) var stored: [NamedCell] = []
  private(set) var base: [Base] = []
  /// Base files that are not any more what was read, with the number of tensors stored for that reason.
  private(set) var changed: [(path: String, count: Int)] = []

  init(_ cells: [NamedCell], storesBase: Bool) {
    var places: [String: Int] = [:]
    var changes: [String: Int] = [:]
    var isUnchanged: [TensorOrigin.File: Bool] = [:]
    for named in cells {
      guard !storesBase, let origin = named.cell.origin else {
        stored.append(named)
        continue
      }
      let known = isUnchanged[origin.file] ?? (FileStamp(of: origin.path) == origin.stamp)
      isUnchanged[origin.file] = known
      guard known else {
        changes[origin.path, default: 0] += 1
        stored.append(named)
        continue
      }
      let place = places[origin.path] ?? base.count
      if place == base.count {
        base.append(Base(path: origin.path, stamp: origin.stamp, tensors: [:]))
      }
      places[origin.path] = place
      base[place].tensors[named.path] = origin.key
    }
    changed = changes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Bytes of the stored tensors and of the list of the others.
  var byteCount: Int {
    let list = base.reduce(0) { total, file in
      total + 256 + file.tensors.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 16 }
    }
    return SafeTensorsWriter.byteCount(stored.map { ($0.path, $0.cell.shape) }) + list
  }

  /// What a user should know, one line each.
  var notes: [String] {
    changed.map { path, count in
      "\(path) is not any more the file that was read: the \(count) tensors read from it are stored in the checkpoints."
    }
  }

  /// What goes into `base.json`; files whose fingerprint is not known yet are read for it.
  func references() throws(FormatError) -> BaseReferences {
    var files: [BaseReferences.File] = []
    for file in base {
      files.append(
        BaseReferences.File(
          path: file.path, byteCount: file.stamp.byteCount,
          modifiedNanoseconds: file.stamp.modifiedNanoseconds,
          fingerprint: try Fingerprints.of(file.path, file.stamp), tensors: file.tensors))
    }
    return BaseReferences(files: files)
  }
}
