import CleftFormats
import Foundation

extension TokenizerFiles {
  /// Reads a `tokenizer.json` of BERT's kind.
  static func wordPiece(_ json: JSONNode, _ path: String) throws(TokenizerError) -> WordPiece {
    let node = json["model"] ?? .null
    var model = WordPiece.Model(vocabulary: try vocabulary(node["vocab"], path))
    model.unknown = node["unk_token"]?.spelling ?? model.unknown
    model.prefix = node["continuing_subword_prefix"]?.spelling ?? model.prefix
    if let longest = node["max_input_chars_per_word"] {
      guard let count = longest.int, count >= 0 else {
        throw .malformed(
          Problem("\(path): max_input_chars_per_word", found: "no count", expected: "a whole number"))
      }
      model.longestWord = count
    }
    model.normalizer = try bertNormalizer(json["normalizer"] ?? .null, path)
    model.cleansDecoded = json["decoder"]?["cleanup"]?.bool ?? true
    guard json["pre_tokenizer"]?["type"]?.text == "BertPreTokenizer" else {
      throw .malformed(
        Problem(
          "\(path): pre_tokenizer", found: "'\(json["pre_tokenizer"]?["type"]?.text ?? "none")'",
          expected: "BertPreTokenizer"))
    }
    return try WordPiece(model, added: try addedTokens(json, path), source: path)
  }

  /// Reads a `vocab.txt`, and the options of a `tokenizer_config.json` beside it.
  static func wordPiece(list data: Data, _ path: String) throws -> WordPiece {
    guard let text = String(validating: data, as: UTF8.self) else {
      throw TokenizerError.malformed(
        Problem(path, found: "bytes that are not UTF-8", expected: "one piece a line"))
    }
    var lines = Array(text.utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    var vocabulary: [Spelling: Int] = [:]
    for (id, line) in lines.enumerated() {
      var scalars = Spelling(bytes: Array(line)).scalars[...]
      while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
      // The last of equal lines has the id, as in the published readers.
      vocabulary[Spelling(scalars)] = id
    }
    var model = WordPiece.Model(vocabulary: vocabulary)
    model.normalizer = try options(beside: path)
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(Spelling.init)
    let added = special.compactMap { content in
      vocabulary[content].map { AddedToken(content: content, id: $0) }
    }
    return try WordPiece(model, added: added, source: path)
  }

  private static func bertNormalizer(_ node: JSONNode, _ path: String) throws(TokenizerError)
    -> BertNormalizer?
  {
    if node.isNull { return nil }
    guard node["type"]?.text == "BertNormalizer" else {
      throw .malformed(
        Problem(
          "\(path): normalizer", found: "'\(node["type"]?.text ?? "no type")'",
          expected: "BertNormalizer or none"))
    }
    return BertNormalizer(
      cleansText: node["clean_text"]?.bool ?? true,
      separatesChinese: node["handle_chinese_chars"]?.bool ?? true,
      stripsAccents: node["strip_accents"]?.bool, lowercases: node["lowercase"]?.bool ?? true)
  }

  private static func options(beside path: String) throws -> BertNormalizer {
    let file = sibling("tokenizer_config.json", of: path)
    guard FileSystem.exists(file) else { return BertNormalizer() }
    let json = try JSONNode.parse(try FileSystem.read(file), file)
    return BertNormalizer(
      separatesChinese: json["tokenize_chinese_chars"]?.bool ?? true,
      stripsAccents: json["strip_accents"]?.bool,
      lowercases: json["do_lower_case"]?.bool ?? true)
  }
}
