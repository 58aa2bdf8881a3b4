import CleftFormats
import CleftNN
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

  /// Where a model's text tower stands in a file of a pair.
  public static let textPrefix = "text_encoder_q.model."
  /// Where a model's image tower stands in a file of a pair.
  public static let imagePrefix = "img_encoder_q.model."

  /// Translates the keys of a whole pair of towers.
  ///
  /// - Parameter modelKeys: keys of the model the values are for; they decide where `base_layer` stands.
  public static func translate(_ keys: some Sequence<String>, modelKeys: Set<String>) -> Translation {
    translate(keys, modelKeys: modelKeys, textPrefix: textPrefix)
  }

  /// Translates the keys of a tower's own file.
  ///
  /// - Parameters:
  ///   - prefix: what every key of the tower has in front in the file; other keys are ignored if it is not empty.
  ///   - ignored: beginnings of keys that the tower has no use for, and why.
  public static func translateTower(
    _ keys: some Sequence<String>, tower: any Module, prefix: String = "",
    ignored rules: [(prefix: String, reason: String)] = []
  ) -> Translation {
    let modelKeys = Set(tower.cells().map(\.path))
    let all = Array(keys)
    var sources: [String: String] = [:]
    var ignored: [Ignored] = []
    let inner = all.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
    let shift = shift(inner.compactMap { $0 }, modelKeys)
    for (key, name) in zip(all, inner) {
      guard let name else {
        ignored.append(Ignored(key: key, reason: "outside \(prefix)"))
        continue
      }
      let own = shift.apply(plain(name, modelKeys: modelKeys))
      if modelKeys.contains(own) {
        sources[own] = key
      } else if let reason = rules.first(where: { name.hasPrefix($0.prefix) })?.reason
        ?? towerReason(name, modelKeys)
      {
        ignored.append(Ignored(key: key, reason: reason))
      } else {
        sources[own] = key
      }
    }
    return Translation(sources: sources, ignored: ignored.sorted { $0.key < $1.key })
  }

  // MARK: - Parts

  private static func translate(
    _ keys: some Sequence<String>, modelKeys: Set<String>, textPrefix: String
  ) -> Translation {
    var sources: [String: String] = [:]
    var ignored: [Ignored] = []
    for key in keys.sorted() {
      if let reason = reasonToIgnore(key, modelKeys: modelKeys) {
        ignored.append(Ignored(key: key, reason: reason))
        continue
      }
      let own = inner(key, modelKeys: modelKeys)
      if let first = sources[own] {
        ignored.append(Ignored(key: key, reason: "a second value for \(own), which \(first) has given"))
      } else {
        sources[own] = key
      }
    }
    return Translation(sources: sources, ignored: ignored)
  }

  /// The model's key for a file's key.
  static func inner(_ key: String, modelKeys: Set<String>) -> String {
    // MedCLIP's image tower has a wrapper of its own in front.
    let inside = imagePrefix + "model."
    if key.hasPrefix(inside), modelKeys.contains(imagePrefix + key.dropFirst(inside.count)) {
      return imagePrefix + key.dropFirst(inside.count)
    }
    guard key.hasPrefix(textPrefix) else { return wrapped(key, modelKeys) }
    var rest = key.dropFirst(textPrefix.count)
    while rest.hasPrefix("base_model.") {
      rest = rest.dropFirst("base_model.".count)
      // LLaMA's own `model.` stays: only PEFT's is taken off.
      if rest.hasPrefix("model."), !modelKeys.contains(textPrefix + rest) || rest.hasPrefix("model.model.") {
        rest = rest.dropFirst("model.".count)
      }
    }
    if let table = prefixKey(key, String(rest), modelKeys) { return table }
    return wrapped(textPrefix + rest, modelKeys)
  }

  /// PEFT calls a prefix's table as it calls prompt vectors; behind such vectors it is one wrapper further in.
  private static func prefixKey(_ key: String, _ rest: String, _ modelKeys: Set<String>) -> String? {
    guard rest.hasPrefix("prompt_encoder.") else { return nil }
    let own = textPrefix + "prefix_encoder." + rest.dropFirst("prompt_encoder.".count)
    let isInner = key.hasPrefix(textPrefix + "base_model.")
    return modelKeys.contains(own) && (isInner || !modelKeys.contains(textPrefix + rest)) ? own : nil
  }

  /// PEFT 0.6 writes `c_attn.weight` for what lies in `c_attn.base_layer.weight` here, and the other way round.
  private static func wrapped(_ plain: String, _ modelKeys: Set<String>) -> String {
    if modelKeys.contains(plain) { return plain }
    if let dot = plain.lastIndex(of: ".") {
      let wrapped = String(plain[..<dot] + ".base_layer" + plain[dot...])
      if modelKeys.contains(wrapped) { return wrapped }
    }
    let bare = plain.replacing(".base_layer.", with: ".")
    return modelKeys.contains(bare) ? bare : plain
  }

  private static func plain(_ key: String, modelKeys: Set<String>) -> String {
    // The first BERT files name a norm's gain and shift otherwise.
    let key = key.replacing("LayerNorm.gamma", with: "LayerNorm.weight").replacing(
      "LayerNorm.beta", with: "LayerNorm.bias")
    var rest = Substring(key)
    while rest.hasPrefix("base_model.") {
      rest = rest.dropFirst("base_model.".count)
      if rest.hasPrefix("model."), !modelKeys.contains(String(rest)) || rest.hasPrefix("model.model.") {
        rest = rest.dropFirst("model.".count)
      }
    }
    return wrapped(String(rest), modelKeys)
  }

  /// What a whole file has in front of the tower's keys, or lacks: `transformer.`, `model.`, `bert.`.
  private struct KeyShift {
    var dropped = ""
    var added = ""

    func apply(_ key: String) -> String {
      if !dropped.isEmpty { return key.hasPrefix(dropped) ? String(key.dropFirst(dropped.count)) : key }
      return added + key
    }
  }

  private static func shift(_ keys: [String], _ modelKeys: Set<String>) -> KeyShift {
    let candidates =
      [KeyShift()]
      + ["transformer.", "model.", "bert.", "module.", "backbone."].flatMap {
        [KeyShift(dropped: $0), KeyShift(added: $0)]
      }
    func hits(_ shift: KeyShift) -> Int {
      keys.count { modelKeys.contains(shift.apply(plain($0, modelKeys: modelKeys))) }
    }
    var (best, most) = (KeyShift(), -1)
    for candidate in candidates {
      let count = hits(candidate)
      if count > most { (best, most) = (candidate, count) }
    }
    return best
  }

  private static func reasonToIgnore(_ key: String, modelKeys: Set<String>) -> String? {
    if modelKeys.contains(key) { return nil }
    if key.contains(".local_embed.") { return "local heads take no part in the loss" }
    if key == imagePrefix + "mask_token" { return "DINOv2's pretraining token" }
    // BERT's own table has the alias's name.
    if modelKeys.contains(inner(key, modelKeys: modelKeys)) { return nil }
    return towerReason(key, modelKeys)
  }

  /// Why a key of a published text tower has no place in a model.
  private static func towerReason(_ key: String, _ modelKeys: Set<String>) -> String? {
    if key.hasSuffix("word_embeddings.weight") { return "second name of the token embeddings" }
    if key.hasSuffix(".attn.bias") || key.hasSuffix(".attn.masked_bias") { return "causal-mask buffer" }
    if key.hasSuffix("rotary_emb.inv_freq") { return "rotary angles, computed here" }
    if key.hasSuffix("position_ids") || key.hasSuffix("token_type_ids") { return "counting buffer" }
    if key.hasSuffix("relative_position_index") || key.hasSuffix("attn_mask") { return "index buffer" }
    if key.hasSuffix("token_type_embeddings.weight") { return "segment table that the tower leaves out" }
    if key.contains(".crossattention.") { return "cross-attention without a use" }
    let starts = ["lm_head.", "cls.", "pooler.", "bert.pooler.", "head.", "fc.", "classifier."]
    if starts.contains(where: key.hasPrefix) || key.contains(".pooler.") {
      return "head that the tower leaves out"
    }
    return key.hasSuffix("mask_token") ? "pretraining token" : nil
  }
}
