import CleftFormats
import Foundation

/// Reading tokenizer files.
public enum TokenizerFiles {
  /// File names a folder is searched for, the best first.
  static let names = ["tokenizer.json", "vocab.json", "tokenizer.model", "vocab.txt"]

  /// Reads a tokenizer, of the kind its contents say.
  ///
  /// - Parameter path: a `tokenizer.json` (byte-level BPE, SentencePiece BPE or WordPiece), a `vocab.json` with
  ///   `merges.txt` beside it, a `tokenizer.model`, a `vocab.txt`, or a folder with any of them.
  /// - Throws: `TokenizerError`, or `FormatError` if a file cannot be read.
  public static func read(_ path: String) throws -> any Tokenizer {
    if FileSystem.isFolder(path) {
      for name in names where FileSystem.exists("\(path)/\(name)") { return try read("\(path)/\(name)") }
      throw TokenizerError.missing(
        Problem(
          path, found: "no tokenizer",
          expected: "tokenizer.json, vocab.json with merges.txt, tokenizer.model or vocab.txt"
        ))
    }
    let data = try FileSystem.read(path)
    switch kind(of: data, path) {
    case .json:
      let json = try JSONNode.parse(data, path)
      if json["model"]?.map != nil { return try fromTokenizerJSON(json, path) }
      return try byteLevel(vocabulary: json, path, merges: sibling("merges.txt", of: path))
    case .sentencePiece: return try sentencePiece(model: Array(data), path)
    case .words: return try wordPiece(list: data, path)
    }
  }

  /// Reads the text of a `tokenizer.json` that lies within another file.
  ///
  /// - Parameter path: names the file in messages.
  public static func read(json text: String, in path: String) throws -> any Tokenizer {
    try fromTokenizerJSON(JSONNode.parse(Data(text.utf8), path), path)
  }

  private enum Kind {
    case json, sentencePiece, words
  }

  /// The kind of a file; its name decides only where the first bytes do not.
  private static func kind(of data: Data, _ path: String) -> Kind {
    if path.hasSuffix(".model") { return .sentencePiece }
    if path.hasSuffix(".txt") { return .words }
    if path.hasSuffix(".json") { return .json }
    if data.first(where: { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }) == 0x7B {
      return .json
    }
    let isMessage = data.first == 0x0A && ProtobufReader.fields(Array(data)[...]) != nil
    return isMessage ? .sentencePiece : .words
  }

  /// Path of a file beside another one.
  static func sibling(_ name: String, of path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return (folder.isEmpty ? "." : folder) + "/" + name
  }

  private static func fromTokenizerJSON(_ json: JSONNode, _ path: String) throws(TokenizerError)
    -> any Tokenizer
  {
    let model = json["model"] ?? .null
    let type = model["type"]?.text ?? (model["vocab"]?.list == nil ? "BPE" : "Unigram")
    switch type {
    case "BPE":
      if let step = byteLevelStep(json) { return try byteLevel(json, step, path) }
      return try sentencePiece(json, path)
    case "WordPiece": return try wordPiece(json, path)
    default:
      throw .malformed(
        Problem("\(path): model", found: "type \(type)", expected: "BPE or WordPiece"))
    }
  }

  /// Id of each spelling.
  static func vocabulary(_ node: JSONNode?, _ path: String) throws(TokenizerError) -> [Spelling: Int] {
    guard let pairs = node?.map, !pairs.isEmpty else {
      throw .malformed(Problem("\(path): vocabulary", found: "no entries", expected: "spelling: id"))
    }
    var vocabulary: [Spelling: Int] = [:]
    for (key, value) in pairs { vocabulary[key] = try id(value, "\(path): '\(key.text)'") }
    return vocabulary
  }

  /// An id, within what any vocabulary has.
  static func id(_ node: JSONNode?, _ place: String) throws(TokenizerError) -> Int {
    guard let id = node?.int, (0..<1 << 24).contains(id) else {
      throw .malformed(Problem(place, found: "no id", expected: "a whole number below \(1 << 24)"))
    }
    return id
  }

  /// The pairs of a list of merges, in both published spellings.
  static func merges(_ node: JSONNode?, _ path: String) throws(TokenizerError) -> [(Spelling, Spelling)] {
    guard let listed = node?.list else {
      throw .malformed(Problem("\(path): model", found: "no merges", expected: "a list of pairs"))
    }
    var merges: [(Spelling, Spelling)] = []
    for (index, entry) in listed.enumerated() {
      let parts =
        entry.list?.compactMap(\.spelling)
        ?? entry.spelling?.bytes.split(separator: 0x20, omittingEmptySubsequences: false).map {
          Spelling(bytes: Array($0))
        } ?? []
      guard parts.count == 2, parts.allSatisfy({ !$0.bytes.isEmpty }) else {
        throw .malformed(
          Problem(
            "\(path): merge \(index + 1)", found: "\(parts.count) spellings", expected: "two"))
      }
      merges.append((parts[0], parts[1]))
    }
    return merges
  }

  /// The `added_tokens` of a `tokenizer.json`.
  static func addedTokens(_ json: JSONNode, _ path: String) throws(TokenizerError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    for entry in json["added_tokens"]?.list ?? [] {
      guard let content = entry["content"]?.spelling, !content.bytes.isEmpty else { continue }
      tokens.append(
        AddedToken(
          content: content, id: try id(entry["id"], "\(path): added token '\(content.text)'"),
          isSingleWord: entry["single_word"]?.bool ?? false, stripsLeft: entry["lstrip"]?.bool ?? false,
          stripsRight: entry["rstrip"]?.bool ?? false, isNormalized: entry["normalized"]?.bool ?? false,
          isSpecial: entry["special"]?.bool ?? false))
    }
    return tokens
  }
}
