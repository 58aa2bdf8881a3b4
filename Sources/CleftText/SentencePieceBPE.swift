import CleftFormats

/// Byte-pair encoding of whole sentences with `▁` for spaces, as LLaMA and meditron use it.
///
/// Characters outside the vocabulary become bytes (`<0x41>`), or the unknown token where there are none.
/// - Source: Kudo and Richardson 2018, arXiv 1808.06226. Ids of a `tokenizer.json` equal Hugging Face `tokenizers`,
///   those of a `tokenizer.model` equal `sentencepiece`.
public final class SentencePieceBPE: Tokenizer {
  /// What a file says of the model.
  struct Model: Sendable {
    var vocabulary: [Spelling: Int]
    var merger: PieceMerger
    var unknown: Spelling?
    /// Whether neighboring unknown characters are one unknown token.
    var fusesUnknown = true
    var fallsBackToBytes = true
    /// Whether a word that is a piece is never taken apart.
    var ignoresMerges = false
    /// Pieces that are found before merging and take no part in it; longest first.
    var whole: [[Unicode.Scalar]] = []
  }

  /// Number of ids.
  public let vocabularySize: Int
  /// Id of `</s>`.
  public let endOfTextID: Int
  /// Id of `</s>`.
  public var paddingID: Int { endOfTextID }
  /// Id of `<s>`.
  public var leadingIDs: [Int] { [beginID] }
  /// None.
  public var trailingIDs: [Int] { [] }

  let model: Model
  let rules: SectionRules
  let added: AddedTokens
  let beginID: Int
  /// Id of each byte's piece.
  let byteIDs: [Int32?]
  private let unknownID: Int32?
  private let spellings: [Int: Spelling]
  private let bytes: [Int: UInt8]

  /// Makes a tokenizer from the parts of a file.
  ///
  /// - Parameters:
  ///   - ends: spellings of the tokens that begin and end a text.
  ///   - source: names the origin in messages.
  init(
    _ model: Model, rules: SectionRules, added: [AddedToken], ends: (begin: Spelling, end: Spelling),
    source: String
  ) throws(TokenizerError) {
    let names = Dictionary(added.map { ($0.content, $0.id) }) { $1 }
    var ids: [Int] = []
    for name in [ends.begin, ends.end] {
      guard let id = names[name] ?? model.vocabulary[name] else {
        throw .malformed(
          Problem(source, found: "no token \(name.text)", expected: "LLaMA's vocabulary with <s> and </s>"))
      }
      ids.append(id)
    }
    (beginID, endOfTextID) = (ids[0], ids[1])
    if let unknown = model.unknown, model.vocabulary[unknown] == nil {
      throw .malformed(
        Problem(source, found: "unknown token '\(unknown.text)' outside the vocabulary", expected: "its id"))
    }
    unknownID = model.unknown.flatMap { model.vocabulary[$0] }.map(Int32.init)
    self.model = model
    self.rules = rules
    self.added = AddedTokens(added) { rules.normalized($0) }
    byteIDs = (UInt8.min...UInt8.max).map { byte in
      model.fallsBackToBytes ? model.vocabulary[Self.spelling(of: byte)].map(Int32.init) : nil
    }
    bytes = Dictionary(
      zip(UInt8.min...UInt8.max, byteIDs).compactMap { byte, id in id.map { (Int($0), byte) } }
    ) { first, _ in first }
    spellings = Dictionary(model.vocabulary.map { ($1, $0) }) { first, _ in first }
      .merging(
        added.map { ($0.id, $0.isNormalized ? Spelling(rules.normalized($0.content.scalars)) : $0.content) }
      ) { $1 }
    vocabularySize = spellings.keys.reduce(0) { max($0, $1 + 1) }
  }

  /// Spelling of a byte's piece.
  static func spelling(of byte: UInt8) -> Spelling {
    let digits = String(byte, radix: 16, uppercase: true)
    return Spelling("<0x\(digits.count == 1 ? "0" : "")\(digits)>")
  }

  /// Ids of a text.
  public func encode(_ text: String) -> [Int] {
    var ids: [Int] = []
    for part in added.parts(of: text) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let text, let isFirst):
        for word in rules.words(text, isFirst: isFirst) { ids += encode(word: word) }
      }
    }
    return ids
  }

  /// Text of ids; bytes that are no UTF-8 become U+FFFD, one each.
  public func decode(_ ids: [Int]) -> String {
    let space = rules.metaspace?.replacement ?? SectionRules.space
    var result: [UInt8] = []
    var pending: [UInt8] = []
    func flush() {
      if String(validating: pending, as: UTF8.self) != nil {
        result += pending
      } else {
        for _ in pending { result += Array("\u{FFFD}".utf8) }
      }
      pending = []
    }
    for id in ids {
      if let byte = bytes[id] {
        pending.append(byte)
      } else {
        flush()
        result += Spelling((spellings[id]?.scalars ?? []).map { $0 == space ? " " : $0 }).bytes
      }
    }
    flush()
    if rules.addsSpace, result.first == 0x20 { result.removeFirst() }
    return String(decoding: result, as: UTF8.self)
  }

  private func encode(word: [Unicode.Scalar]) -> [Int] {
    let spelling = Spelling(word)
    if model.ignoresMerges, let id = model.vocabulary[spelling] { return [id] }
    switch model.merger.table {
    case .ranked:
      return model.merger.merge(symbols(word), in: []).map { Int($0.id) }
    case .scored(let pieces, _):
      let merged = model.merger.merge(symbols(word, pieces), in: spelling.bytes)
      return ids(of: merged, in: spelling.bytes)
    }
  }

  /// The characters of a word as `tokenizers` takes them: bytes and unknown tokens before merging.
  private func symbols(_ word: [Unicode.Scalar]) -> [PieceMerger.Symbol] {
    var symbols: [PieceMerger.Symbol] = []
    var unknown: Int32?
    for scalar in word {
      let spelling = Spelling(CollectionOfOne(scalar))
      if let id = model.vocabulary[spelling] {
        if let unknown { symbols.append(.init(id: unknown, start: 0, end: 0)) }
        unknown = nil
        symbols.append(.init(id: Int32(id), start: 0, end: 0))
        continue
      }
      let spelled = spelling.bytes.compactMap { byteIDs[Int($0)] }
      if spelled.count == spelling.bytes.count {
        symbols += spelled.map { .init(id: $0, start: 0, end: 0) }
      } else if let unknownID {
        if let unknown, !model.fusesUnknown { symbols.append(.init(id: unknown, start: 0, end: 0)) }
        unknown = unknownID
      }
    }
    if let unknown { symbols.append(.init(id: unknown, start: 0, end: 0)) }
    return symbols
  }

  /// The characters of a word as `sentencepiece` takes them: -1 where there is no piece yet.
  private func symbols(_ word: [Unicode.Scalar], _ pieces: [Spelling: Int32]) -> [PieceMerger.Symbol] {
    var symbols: [PieceMerger.Symbol] = []
    var (i, start) = (0, 0)
    while i < word.count {
      let whole = model.whole.first { word[i...].starts(with: $0) }
      let spelling = Spelling(whole ?? [word[i]])
      let end = start + spelling.bytes.count
      symbols.append(.init(id: pieces[spelling] ?? -1, start: start, end: end, isFrozen: whole != nil))
      i += whole?.count ?? 1
      start = end
    }
    return symbols
  }

  /// Ids of merged symbols: bytes for those without a piece, or one unknown token for all in a row.
  private func ids(of symbols: [PieceMerger.Symbol], in bytes: [UInt8]) -> [Int] {
    var ids: [Int] = []
    var wasUnknown = false
    for symbol in symbols {
      if symbol.id >= 0 {
        ids.append(Int(symbol.id))
      } else if model.fallsBackToBytes {
        ids += bytes[symbol.start..<symbol.end].compactMap { byteIDs[Int($0)].map(Int.init) }
      } else if !wasUnknown, let unknownID {
        ids.append(Int(unknownID))
      }
      wasUnknown = symbol.id < 0
    }
    return ids
  }
}
