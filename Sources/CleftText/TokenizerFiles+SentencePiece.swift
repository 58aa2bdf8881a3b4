import CleftFormats

extension TokenizerFiles {
  /// Reads a `tokenizer.json` of LLaMA's kind.
  static func sentencePiece(_ json: JSONNode, _ path: String) throws(TokenizerError) -> SentencePieceBPE {
    let node = json["model"] ?? .null
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = node[key]?.text, !text.isEmpty {
        throw .malformed(Problem("\(path): \(key)", found: "'\(text)'", expected: "none"))
      }
    }
    if let dropout = node["dropout"]?.number, dropout != 0 {
      throw .malformed(Problem("\(path): dropout", found: "\(dropout)", expected: "none"))
    }
    let vocabulary = try vocabulary(node["vocab"], path)
    let merges = try merges(node["merges"], path)
    let added = try addedTokens(json, path)
    let model = SentencePieceBPE.Model(
      vocabulary: vocabulary, merger: PieceMerger(try table(vocabulary, merges, path)),
      unknown: node["unk_token"]?.spelling, fusesUnknown: node["fuse_unk"]?.bool ?? false,
      fallsBackToBytes: node["byte_fallback"]?.bool ?? false,
      ignoresMerges: node["ignore_merges"]?.bool ?? false)
    let known = Set(added.map(\.content)).union(vocabulary.keys)
    let isGemma = !known.contains(Spelling("<s>")) && known.contains(Spelling("<bos>"))
    return try SentencePieceBPE(
      model, rules: try SectionRules(json, path), added: added,
      ends: isGemma ? (Spelling("<bos>"), Spelling("<eos>")) : (Spelling("<s>"), Spelling("</s>")),
      source: path)
  }

  /// Reads a `tokenizer.model`, and an `added_tokens.json` beside it.
  static func sentencePiece(model bytes: [UInt8], _ path: String) throws -> SentencePieceBPE {
    let file = try SentencePieceModel(bytes, path)
    var model = SentencePieceBPE.Model(
      vocabulary: [:], merger: PieceMerger(.ranked([:])), fallsBackToBytes: file.fallsBackToBytes)
    var pieces: [Spelling: Int32] = [:]
    var added: [AddedToken] = []
    for (id, piece) in file.pieces.enumerated() {
      model.vocabulary[piece.spelling] = id
      switch piece.kind {
      case .normal: pieces[piece.spelling] = Int32(id)
      case .userDefined:
        pieces[piece.spelling] = Int32(id)
        model.whole.append(piece.spelling.scalars)
      case .unknown:
        model.unknown = piece.spelling
        added.append(AddedToken(content: piece.spelling, id: id))
      case .control: added.append(AddedToken(content: piece.spelling, id: id))
      case .byte: break
      }
    }
    model.whole.sort { $0.count > $1.count }
    model.merger = PieceMerger(.scored(pieces: pieces, scores: file.pieces.map(\.score)))
    added += try tokensBeside(path, model.vocabulary, known: Set(added.map(\.content)))
    return try SentencePieceBPE(
      model, rules: rules(file), added: added, ends: (file.begin, file.end),
      source: path)
  }

  private static func table(
    _ vocabulary: [Spelling: Int], _ merges: [(Spelling, Spelling)], _ path: String
  ) throws(TokenizerError) -> PieceMerger.Table {
    var ranks: [PieceMerger.Pair: PieceMerger.Merge] = [:]
    for (rank, (left, right)) in merges.enumerated() {
      guard let leftID = vocabulary[left], let rightID = vocabulary[right],
        let merged = vocabulary[Spelling(bytes: left.bytes + right.bytes)]
      else {
        throw .malformed(
          Problem(
            "\(path): merge \(rank + 1)",
            found: "'\(left.text) \(right.text)' with a part or its sum outside the vocabulary",
            expected: "pieces of the vocabulary"))
      }
      ranks[.init(left: Int32(leftID), right: Int32(rightID))] = .init(cost: Double(rank), id: Int32(merged))
    }
    return .ranked(ranks)
  }

  /// The tokens of an `added_tokens.json` that the vocabulary does not have as added ones already.
  private static func tokensBeside(_ path: String, _ vocabulary: [Spelling: Int], known: Set<Spelling>)
    throws -> [AddedToken]
  {
    let file = sibling("added_tokens.json", of: path)
    guard FileSystem.exists(file) else { return [] }
    let json = try JSONNode.parse(try FileSystem.read(file), file)
    guard let pairs = json.map else {
      throw TokenizerError.malformed(Problem(file, found: "no map", expected: "token: id"))
    }
    var owners = Dictionary(vocabulary.map { ($1, $0) }) { first, _ in first }
    var tokens: [AddedToken] = []
    for (content, value) in pairs where !content.bytes.isEmpty {
      let id = try id(value, "\(file): '\(content.text)'")
      let owner = owners[id] ?? content
      guard owner == content, vocabulary[content] == nil || vocabulary[content] == id else {
        throw TokenizerError.malformed(
          Problem(
            "\(file): '\(content.text)'", found: "id \(id), which is '\(owner.text)'",
            expected: "an id of its own"))
      }
      owners[id] = content
      if !known.contains(content) { tokens.append(AddedToken(content: content, id: id)) }
    }
    return tokens
  }

  /// The rules that a model's normalizer amounts to.
  private static func rules(_ file: SentencePieceModel) -> SectionRules {
    let space: [Unicode.Scalar] = file.escapesSpaces ? [SectionRules.space] : [" "]
    var rules = SectionRules(steps: [])
    if file.removesExtraSpaces {
      rules.steps = [.replaceMatches(.leadingSpaces, []), .replaceMatches(.repeatedSpaces, [" "])]
    }
    if file.addsPrefix { rules.steps.append(.prepend(space)) }
    if file.escapesSpaces { rules.steps.append(.replace([" "], space)) }
    if file.removesExtraSpaces {
      rules.steps.append(.replaceMatches(file.escapesSpaces ? .trailingMetaspaces : .trailingSpaces, []))
    }
    return rules
  }
}
