import CleftFormats
import Foundation

/// Reading and writing tokenizer files.
public enum TokenizerFiles {
  /// Reads a byte-level tokenizer.
  ///
  /// - Parameter path: a `tokenizer.json`, a `vocab.json` with `merges.txt` beside it, or a folder with either.
  public static func read(_ path: String) throws -> ByteLevelBPE {
    if FileSystem.isFolder(path) {
      for name in ["tokenizer.json", "vocab.json"] where FileSystem.exists("\(path)/\(name)") {
        return try read("\(path)/\(name)")
      }
      throw TokenizerError.missing(
        Problem(path, found: "no tokenizer", expected: "tokenizer.json, or vocab.json with merges.txt"))
    }
    let json = try object(path)
    if json["model"] is [String: Any] { return try fromTokenizerJSON(json, path) }
    let folder = (path as NSString).deletingLastPathComponent
    return try fromVocabulary(json, path, merges: (folder.isEmpty ? "." : folder) + "/merges.txt")
  }

  /// Text of a `tokenizer.json` that Hugging Face's `tokenizers` reads.
  static func tokenizerJSON(
    vocabulary: [String: Int], merges: [(String, String)], added: [(content: String, id: Int)],
    addsPrefixSpace: Bool
  ) -> String {
    let model: [String: Any] = [
      "type": "BPE", "dropout": NSNull(), "unk_token": NSNull(), "continuing_subword_prefix": "",
      "end_of_word_suffix": "", "fuse_unk": false, "vocab": vocabulary,
      "merges": merges.map { "\($0) \($1)" },
    ]
    let byteLevel: [String: Any] = [
      "type": "ByteLevel", "add_prefix_space": addsPrefixSpace, "trim_offsets": true,
    ]
    let root: [String: Any] = [
      "version": "1.0", "truncation": NSNull(), "padding": NSNull(), "normalizer": NSNull(),
      "added_tokens": added.map { token in
        [
          "id": token.id, "content": token.content, "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false, "special": true,
        ] as [String: Any]
      },
      "pre_tokenizer": byteLevel, "post_processor": NSNull(), "decoder": byteLevel, "model": model,
    ]
    let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = (try? JSONSerialization.data(withJSONObject: root, options: options)) ?? Data()
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private static func object(_ path: String) throws -> [String: Any] {
    let data = try FileSystem.read(path)
    guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw TokenizerError.malformed(
        Problem(path, found: "not a JSON object", expected: "tokenizer.json or vocab.json"))
    }
    return json
  }

  private static func fromTokenizerJSON(_ json: [String: Any], _ path: String) throws -> ByteLevelBPE {
    guard let model = json["model"] as? [String: Any], (model["type"] as? String ?? "BPE") == "BPE",
      let vocabulary = model["vocab"] as? [String: Int], let listed = model["merges"] as? [Any]
    else {
      throw TokenizerError.malformed(
        Problem(path, found: "no BPE model", expected: "model.type BPE with vocab, merges"))
    }
    var merges: [(String, String)] = []
    for (index, entry) in listed.enumerated() {
      let parts = (entry as? [String]) ?? (entry as? String)?.split(separator: " ").map(String.init) ?? []
      guard parts.count == 2 else {
        throw TokenizerError.malformed(
          Problem("\(path): merge \(index + 1)", found: "\(entry)", expected: "two spellings"))
      }
      merges.append((parts[0], parts[1]))
    }
    let steps = [json["pre_tokenizer"] as? [String: Any]].compactMap { $0 }
    let flat = steps.flatMap { [$0] + ($0["pretokenizers"] as? [[String: Any]] ?? []) }
    guard let byteLevel = flat.first(where: { $0["type"] as? String == "ByteLevel" }) else {
      throw TokenizerError.malformed(
        Problem(path, found: "no ByteLevel pre-tokenizer", expected: "a GPT-2 tokenizer"))
    }
    var added: [String: Int] = [:]
    for token in json["added_tokens"] as? [[String: Any]] ?? [] {
      if let content = token["content"] as? String, let id = token["id"] as? Int { added[content] = id }
    }
    return try ByteLevelBPE(
      vocabulary: vocabulary, merges: merges, added: added,
      addsPrefixSpace: byteLevel["add_prefix_space"] as? Bool ?? false, source: path)
  }

  private static func fromVocabulary(_ json: [String: Any], _ path: String, merges: String) throws
    -> ByteLevelBPE
  {
    guard let vocabulary = json as? [String: Int] else {
      throw TokenizerError.malformed(
        Problem(path, found: "values that are not ids", expected: "spelling: id"))
    }
    let text = String(decoding: try FileSystem.read(merges), as: UTF8.self)
    var pairs: [(String, String)] = []
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      if line.isEmpty || (index == 0 && line.hasPrefix("#version")) { continue }
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw TokenizerError.malformed(
          Problem("\(merges):\(index + 1)", found: "'\(line)'", expected: "two spellings"))
      }
      pairs.append((String(parts[0]), String(parts[1])))
    }
    return try ByteLevelBPE(vocabulary: vocabulary, merges: pairs, added: [:], source: path)
  }
}
