import CleftTensor

/// Turns the keys of published checkpoints into those of the model and back.
///
/// PEFT's wrappers (`base_model.model.`), its alias `word_embeddings`, the inner `base_layer` that came with PEFT 0.7
/// and GPT-2's causal-mask buffers exist only in files; inside, a key is the upstream module's own.
public enum KeyMap {
  /// A key that is left out, and why.
  public struct Ignored: Sendable, Equatable {
    /// The key in the file.
    public let key: String
    /// Why no value is lost.
    public let reason: String
  }

  /// What a file's keys mean here.
  public struct Translation: Sendable {
    /// Key in the file by key in the model.
    public let sources: [String: String]
    /// Keys that the model has no use for.
    public let ignored: [Ignored]
  }

  /// Translates the keys of a whole pair of towers.
  ///
  /// - Parameter modelKeys: keys of the model the values are for; they decide where `base_layer` stands.
  public static func translate(_ keys: some Sequence<String>, modelKeys: Set<String>) -> Translation {
    var sources: [String: String] = [:]
    var ignored: [Ignored] = []
    for key in keys.sorted() {
      if let reason = reasonToIgnore(key, modelKeys: modelKeys) {
        ignored.append(Ignored(key: key, reason: reason))
        continue
      }
      sources[inner(key, modelKeys: modelKeys)] = key
    }
    return Translation(sources: sources, ignored: ignored)
  }

  /// The model's key for a file's key.
  static func inner(_ key: String, modelKeys: Set<String>) -> String {
    let text = "text_encoder_q.model."
    guard key.hasPrefix(text) else { return key }
    var rest = key.dropFirst(text.count)
    while rest.hasPrefix("base_model.") {
      rest = rest.dropFirst("base_model.".count)
      if rest.hasPrefix("model.") { rest = rest.dropFirst("model.".count) }
    }
    let plain = text + rest
    if modelKeys.contains(plain) { return plain }
    // PEFT 0.6 writes `c_attn.weight` for what lies in `c_attn.base_layer.weight` here, and the other way round.
    if let dot = plain.lastIndex(of: ".") {
      let wrapped = plain[..<dot] + ".base_layer" + plain[dot...]
      if modelKeys.contains(String(wrapped)) { return String(wrapped) }
    }
    let bare = plain.replacing(".base_layer.", with: ".")
    return modelKeys.contains(bare) ? bare : plain
  }

  private static func reasonToIgnore(_ key: String, modelKeys: Set<String>) -> String? {
    if modelKeys.contains(key) { return nil }
    if key.contains(".local_embed.") { return "local heads take no part in the loss" }
    if key.hasSuffix(".word_embeddings.weight") { return "second name of the token embeddings" }
    if key.hasSuffix(".attn.bias") || key.hasSuffix(".attn.masked_bias") { return "causal-mask buffer" }
    if key == "img_encoder_q.model.mask_token" { return "DINOv2's pretraining token" }
    return nil
  }
}
