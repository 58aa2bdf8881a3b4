import CleftFormats

/// BERT's pieces of words: the longest one that fits, then the longest behind it, until the word is used up.
///
/// - Source: Wu et al. 2016, arXiv 1609.08144, §4.1; Devlin et al. 2019. Ids equal Hugging Face `tokenizers`.
public final class WordPiece: Tokenizer {
  /// What a file says of the model.
  struct Model: Sendable {
    var vocabulary: [Spelling: Int]
    var unknown = Spelling("[UNK]")
    /// What a piece inside a word begins with.
    var prefix = Spelling("##")
    /// A longer word is unknown.
    var longestWord = 100
    /// Nil leaves the text as it is.
    var normalizer: BertNormalizer? = BertNormalizer()
    /// Whether decoded text loses the spaces before punctuation.
    var cleansDecoded = true
  }

  /// Number of ids.
  public let vocabularySize: Int
  /// Id of `[SEP]`.
  public let endOfTextID: Int
  /// Id of `[PAD]`.
  public let paddingID: Int
  /// Id of `[CLS]`.
  public var leadingIDs: [Int] { [beginID] }
  /// Id of `[SEP]`.
  public var trailingIDs: [Int] { [endOfTextID] }

  private let model: Model
  private let added: AddedTokens
  private let beginID: Int
  private let unknownID: Int
  private let spellings: [Int: Spelling]
  /// Bytes of the longest piece.
  private let longestPiece: Int

  /// Makes a tokenizer from the parts of a file.
  ///
  /// - Parameter source: names the origin in messages.
  init(_ model: Model, added: [AddedToken], source: String) throws(TokenizerError) {
    let names = Dictionary(added.map { ($0.content, $0.id) }) { $1 }
    var ids: [Int] = []
    for name in ["[CLS]", "[SEP]", "[PAD]"].map(Spelling.init) {
      guard let id = names[name] ?? model.vocabulary[name] else {
        throw .malformed(
          Problem(
            source, found: "no token \(name.text)", expected: "BERT's vocabulary with [CLS], [SEP], [PAD]"))
      }
      ids.append(id)
    }
    (beginID, endOfTextID, paddingID) = (ids[0], ids[1], ids[2])
    guard let unknownID = model.vocabulary[model.unknown] else {
      throw .malformed(
        Problem(source, found: "no token \(model.unknown.text)", expected: "a token for unknown words"))
    }
    self.unknownID = unknownID
    self.model = model
    self.added = AddedTokens(added) { model.normalizer?.normalized($0) ?? $0 }
    spellings = Dictionary(model.vocabulary.map { ($1, $0) }) { first, _ in first }
      .merging(
        added.map { token in
          let normalizer = token.isNormalized ? model.normalizer : nil
          return (
            token.id, normalizer.map { Spelling($0.normalized(token.content.scalars)) } ?? token.content
          )
        }
      ) { $1 }
    vocabularySize = spellings.keys.reduce(0) { max($0, $1 + 1) }
    longestPiece = model.vocabulary.keys.reduce(0) { max($0, $1.bytes.count) }
  }

  /// Ids of a text.
  public func encode(_ text: String) -> [Int] {
    var ids: [Int] = []
    for part in added.parts(of: text) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let text, _):
        for word in BertNormalizer.words(text) { ids += encode(word: word) }
      }
    }
    return ids
  }

  /// Text of ids, with a space before every piece that begins a word.
  public func decode(_ ids: [Int]) -> String {
    var result: [UInt8] = []
    for (index, id) in ids.compactMap({ spellings[$0] }).enumerated() {
      var piece = id.bytes
      if index > 0 {
        piece =
          piece.starts(with: model.prefix.bytes)
          ? Array(piece.dropFirst(model.prefix.bytes.count)) : [0x20] + piece
      }
      result += model.cleansDecoded ? Self.cleaned(piece) : piece
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// Text of a `tokenizer.json` with this vocabulary.
  public var tokenizerJSON: String {
    let sorted = model.vocabulary.sorted { ($0.value, $0.key.text) < ($1.value, $1.key.text) }
    let normalizer = model.normalizer.map { options in
      JSONNode.object([
        "type": "BertNormalizer", "clean_text": .bool(options.cleansText),
        "handle_chinese_chars": .bool(options.separatesChinese),
        "strip_accents": options.stripsAccents.map(JSONNode.bool) ?? .null,
        "lowercase": .bool(options.lowercases),
      ])
    }
    let root: JSONNode = .object([
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .list(added.all.map(\.json)),
      "normalizer": normalizer ?? .null, "pre_tokenizer": .object(["type": "BertPreTokenizer"]),
      "post_processor": .template(
        begin: (Spelling("[CLS]"), beginID), end: (Spelling("[SEP]"), endOfTextID)),
      "decoder": .object([
        "type": "WordPiece", "prefix": .string(model.prefix), "cleanup": .bool(model.cleansDecoded),
      ]),
      "model": .object([
        "type": "WordPiece", "unk_token": .string(model.unknown),
        "continuing_subword_prefix": .string(model.prefix),
        "max_input_chars_per_word": .int(model.longestWord),
        "vocab": .map(sorted.map { ($0.key, .int($0.value)) }),
      ]),
    ])
    return root.json
  }

  private func encode(word: [Unicode.Scalar]) -> [Int] {
    guard word.count <= model.longestWord else { return [unknownID] }
    var ids: [Int] = []
    var start = 0
    while start < word.count {
      let prefix = start == 0 ? [] : model.prefix.bytes
      // Every scalar has at least a byte.
      var end = min(word.count, start + max(0, longestPiece - prefix.count))
      var found: Int?
      while end > start {
        found = model.vocabulary[Spelling(bytes: prefix + Spelling(word[start..<end]).bytes)]
        if found != nil { break }
        end -= 1
      }
      guard let found else { return [unknownID] }
      ids.append(found)
      start = end
    }
    return ids
  }

  /// What `tokenizers` does to a decoded piece with `cleanup` on.
  private static func cleaned(_ piece: [UInt8]) -> [UInt8] {
    let rules = [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
      (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    return rules.reduce(piece) { piece, rule in
      let (old, new) = (Array(rule.0.utf8), Array(rule.1.utf8))
      var result: [UInt8] = []
      var i = 0
      while i < piece.count {
        if piece[i] == old[0], piece[i...].starts(with: old) {
          result += new
          i += old.count
        } else {
          result.append(piece[i])
          i += 1
        }
      }
      return result
    }
  }
}
