import CleftAdapters
import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import CleftText
import Foundation

/// What a checkpoint needs to be built again: shapes, adapters, prompt.
///
/// Stored as `model.json` beside the weights.
public struct ModelDescription: StoredModel {
  /// Name in `model.json`.
  public static let kind = "pair"
  /// Shapes and numerics of the towers.
  public var encoder: DualEncoderConfig
  /// Adapter on the text tower, nil without.
  public var adapter: AdapterDescription?
  /// Adapter on the image tower, nil without.
  public var imageAdapter: AdapterDescription?
  /// Vectors in front of captions, nil without.
  public var prompt: PromptTuningConfig?

  /// Makes a description.
  public init(
    encoder: DualEncoderConfig, adapter: AdapterDescription? = nil,
    imageAdapter: AdapterDescription? = nil, prompt: PromptTuningConfig? = nil
  ) {
    self.encoder = encoder
    self.adapter = adapter
    self.imageAdapter = imageAdapter
    self.prompt = prompt
  }

  /// Builds the model without values.
  ///
  /// - Throws: `TrainingError.badConfiguration` if the numbers contradict each other.
  public func makeModel() throws -> DualEncoder {
    try requireRoom()
    let model = DualEncoder(encoder)
    try adapt(model, startsFresh: false)
    return model
  }

  /// Fails if the numbers contradict each other, or captions and what stands in front of them have no room.
  ///
  /// - Throws: `TrainingError.badConfiguration`.
  public func requireRoom() throws(TrainingError) {
    let prefix = (adapter?.config as? PrefixTuningConfig)?.virtualTokenCount ?? 0
    let count = (prompt?.virtualTokenCount ?? 0) + max(0, min(prefix, 1 << 24))
    if let contradiction = encoder.contradiction(virtualTokenCount: count) {
      throw .badConfiguration(
        Problem(
          "model", found: contradiction,
          hint: "Where captions do not fit, lower --caption_length or --ctx_length, or take a larger model."))
    }
  }

  /// Adds the adapters to a model.
  ///
  /// - Parameter startsFresh: whether start values that depend on the base weights are computed.
  public func adapt(_ model: DualEncoder, startsFresh: Bool) throws {
    if let adapter {
      let place = AdapterPlace(model.text.model.names.adapterTargets, startsFresh: startsFresh)
      _ = try adapter.config.apply(to: model.text.model, place)
    }
    if let imageAdapter {
      let place = AdapterPlace(model.image.model.adapterTargets, startsFresh: startsFresh)
      _ = try imageAdapter.config.apply(to: model.image.model, place)
    }
  }

  /// Builds the model, prompt vectors included, for values from a checkpoint.
  public func makePair() throws -> DualEncoder {
    let model = try makeModel()
    try prompt?.apply(to: model.text.model, startingFrom: nil)
    return model
  }

  /// The same as any model.
  public func makeWholeModel() throws -> any Module { try makePair() }

  /// Token ids of a caption as this model reads it.
  ///
  /// Behind prompt vectors every word keeps its leading-space form: the text is read as `X text`, and the `X` dropped.
  ///
  /// - Parameters:
  ///   - keepsLeadingSpace: off for the published program's RSNA prompts, which go without the `X`.
  ///   - isLimited: off keeps what is behind the model's columns, to count it.
  public func tokens(
    _ text: String, _ tokenizer: any Tokenizer, keepsLeadingSpace: Bool = true, isLimited: Bool = true
  ) -> [Int] {
    let limit = isLimited ? encoder.captionLength : nil
    if prompt == nil || !keepsLeadingSpace { return tokenizer.encodeWithSpecials(text, limit: limit) }
    return Array(tokenizer.encodeWithSpecials("X " + text, limit: limit.map { $0 + 1 }).dropFirst())
  }

  /// Reads `model.json` of a checkpoint folder.
  public static func read(_ folder: String) throws -> ModelDescription {
    let stored = try StoredModelCatalog.read(folder)
    if let pair = stored as? ModelDescription { return pair }
    throw TrainingError.badConfiguration(
      Problem(folder, found: "a \(type(of: stored).kind)", expected: "a \(kind) of an image and a text tower")
    )
  }
}
