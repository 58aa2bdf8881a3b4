import CleftFormats
import CleftNN
import CleftTensor

/// Writing and reading checkpoint folders.
///
/// `model.json`, `model.safetensors`, `base.json`, `optimizer.safetensors`, `optimizer.json`, `tokenizer.json`,
/// `options.yaml`, `state.json`. A folder is written under another name, read back and compared, and only then renamed: one that has its
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
    /// Text of `options.yaml`: which data the run is trained on and how it is read; nil for none.
    public var optionsYAML: String?
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
    public var byteCount: Int { byteCount(parts) }

    /// Bytes of the checkpoint with its tensors divided in a certain way.
    func byteCount(_ parts: CheckpointParts) -> Int {
      let optimizer = optimizer.map { $0.fullStateByteCount + OptimizerLayout($0).json.utf8.count } ?? 0
      let texts =
        jsonText(description, pretty: true).utf8.count + jsonText(state, pretty: true).utf8.count
        + (tokenizerJSON?.utf8.count ?? 0) + (optionsYAML?.utf8.count ?? 0)
      // Disks hand out blocks; each file wastes half of one, and the folder takes one.
      return parts.byteCount + optimizer + texts + 6 * 4096
    }
  }
}
