import CleftFormats
import Foundation

extension TokenizerFiles {
  /// The step that makes a `tokenizer.json` one of GPT-2's kind.
  static func byteLevelStep(_ json: JSONNode) -> JSONNode? {
    let step = json["pre_tokenizer"] ?? .null
    return ([step] + (step["pretokenizers"]?.list ?? [])).first { $0["type"]?.text == "ByteLevel" }
  }

  /// Reads a `tokenizer.json` of GPT-2's kind.
  static func byteLevel(_ json: JSONNode, _ step: JSONNode, _ path: String) throws(TokenizerError)
    -> ByteLevelBPE
  {
    let vocabulary = try vocabulary(json["model"]?["vocab"], path)
    let merges = try merges(json["model"]?["merges"], path)
    let added = try addedTokens(json, path)
    return try ByteLevelBPE(
      vocabulary: text(vocabulary), merges: merges.map { ($0.text, $1.text) },
      added: Dictionary(added.map { ($0.content.text, $0.id) }) { $1 },
      addsPrefixSpace: step["add_prefix_space"]?.bool ?? false, source: path)
  }

  /// Reads a `vocab.json` and the merges beside it.
  static func byteLevel(vocabulary json: JSONNode, _ path: String, merges: String) throws -> ByteLevelBPE {
    let vocabulary = try vocabulary(json, path)
    let text = String(decoding: try FileSystem.read(merges), as: UTF8.self)
    var pairs: [(String, String)] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      if line.isEmpty || (index == 0 && line.hasPrefix("#version")) { continue }
      let parts = line.split(separator: " ")
      guard parts.count == 2 else {
        throw TokenizerError.malformed(
          Problem("\(merges):\(index + 1)", found: "'\(line)'", expected: "two spellings"))
      }
      pairs.append((String(parts[0]), String(parts[1])))
    }
    return try ByteLevelBPE(
      vocabulary: Self.text(vocabulary), merges: pairs, added: [:], source: path)
  }

  /// Text of a `tokenizer.json` that Hugging Face's `tokenizers` reads.
  static func tokenizerJSON(
    vocabulary: [String: Int], merges: [(String, String)], added: [(content: String, id: Int)],
    addsPrefixSpace: Bool
  ) -> String {
    let sorted = vocabulary.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
    let model: JSONNode = .object([
      "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": "",
      "end_of_word_suffix": "", "fuse_unk": .bool(false),
      "vocab": .map(sorted.map { (Spelling($0.key), .int($0.value)) }),
      "merges": .list(merges.map { .string("\($0) \($1)") }),
    ])
    let byteLevel: JSONNode = .object([
      "type": "ByteLevel", "add_prefix_space": .bool(addsPrefixSpace), "trim_offsets": .bool(true),
    ])
    let root: JSONNode = .object([
      "version": "1.0", "truncation": .null, "padding": .null,
      "added_tokens": .list(added.map { AddedToken(content: Spelling($0.content), id: $0.id).json }),
      "normalizer": .null, "pre_tokenizer": byteLevel, "post_processor": .null, "decoder": byteLevel,
      "model": model,
    ])
    return root.json
  }

  private static func text(_ vocabulary: [Spelling: Int]) -> [String: Int] {
    Dictionary(vocabulary.map { ($0.key.text, $0.value) }) { min($0, $1) }
  }
}
