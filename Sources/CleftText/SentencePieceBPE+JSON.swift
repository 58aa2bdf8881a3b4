extension SentencePieceBPE {
  /// Text of a `tokenizer.json` with this vocabulary.
  ///
  /// Scores become merges in their order. User-defined pieces of a `tokenizer.model` (LLaMA's has none) become added
  /// tokens, and no `tokenizer.json` can do exactly what SentencePiece does with those: the written one puts no `▁`
  /// before a text that begins with a space or with such a piece.
  public var tokenizerJSON: String {
    let begin = spelling(of: beginID)
    var rules = rules
    if !model.whole.isEmpty {
      rules = .init(steps: [], metaspace: .init(scheme: rules.addsSpace ? .first : .never, isSplit: false))
    }
    let root: JSONNode = .object([
      "version": "1.0", "truncation": .null, "padding": .null,
      "added_tokens": .list(added.all.map(\.json) + wholeTokens.map(\.json)),
      "normalizer": rules.normalizerJSON, "pre_tokenizer": rules.preTokenizerJSON,
      "post_processor": .template(begin: (begin, beginID), end: nil),
      "decoder": rules.decoderJSON, "model": modelJSON,
    ])
    return root.json
  }

  private var modelJSON: JSONNode {
    let sorted = model.vocabulary.sorted { ($0.value, $0.key.text) < ($1.value, $1.key.text) }
    return .object([
      "type": "BPE", "dropout": .null, "unk_token": model.unknown.map(JSONNode.string) ?? .null,
      "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .bool(model.fusesUnknown),
      "byte_fallback": .bool(model.fallsBackToBytes), "ignore_merges": .bool(model.ignoresMerges),
      "vocab": .map(sorted.map { ($0.key, .int($0.value)) }),
      "merges": .list(merges.map { .list([.string($0), .string($1)]) }),
    ])
  }

  private var wholeTokens: [AddedToken] {
    model.whole.compactMap { scalars in
      let content = Spelling(scalars)
      return model.vocabulary[content].map { AddedToken(content: content, id: $0, isSpecial: false) }
    }.sorted { $0.id < $1.id }
  }

  private func spelling(of id: Int) -> Spelling {
    added.all.first { $0.id == id }?.content ?? model.vocabulary.first { $0.value == id }?.key ?? Spelling("")
  }

  /// The merges, best first; those of a scored table are all ways to divide a piece in two.
  private var merges: [(Spelling, Spelling)] {
    switch model.merger.table {
    case .ranked(let ranks):
      let names = Dictionary(model.vocabulary.map { (Int32($1), $0) }) { first, _ in first }
      return ranks.sorted { $0.value.cost < $1.value.cost }.compactMap { pair, _ in
        guard let left = names[pair.left], let right = names[pair.right] else { return nil }
        return (left, right)
      }
    case .scored(let pieces, let scores):
      let whole = Set(model.whole.map { Spelling($0) })
      var found: [(score: Float, left: Int32, right: Int32, pair: (Spelling, Spelling))] = []
      for (piece, id) in pieces where !whole.contains(piece) {
        let scalars = piece.scalars
        for cut in 1..<max(1, scalars.count) {
          let (left, right) = (Spelling(scalars[..<cut]), Spelling(scalars[cut...]))
          guard !whole.contains(left), !whole.contains(right), let leftID = pieces[left],
            let rightID = pieces[right]
          else { continue }
          found.append((scores[Int(id)], leftID, rightID, (left, right)))
        }
      }
      return found.sorted { ($1.score, $0.left, $0.right) < ($0.score, $1.left, $1.right) }.map(\.pair)
    }
  }
}

extension JSONNode {
  /// A post-processor that puts one token before every text, and perhaps one behind.
  static func template(begin: (Spelling, Int), end: (Spelling, Int)?) -> JSONNode {
    let tokens = [begin] + (end.map { [$0] } ?? [])
    func special(_ token: (Spelling, Int), _ type: Int) -> JSONNode {
      .object(["SpecialToken": .object(["id": .string(token.0), "type_id": .int(type)])])
    }
    func text(_ name: String, _ type: Int) -> JSONNode {
      .object(["Sequence": .object(["id": .string(name), "type_id": .int(type)])])
    }
    let single = [special(begin, 0), text("A", 0)] + (end.map { [special($0, 0)] } ?? [])
    let second = end.map { [text("B", 1), special($0, 1)] } ?? [special(begin, 1), text("B", 1)]
    return .object([
      "type": "TemplateProcessing", "single": .list(single), "pair": .list(single + second),
      "special_tokens": .map(
        tokens.map { name, id in
          (name, .object(["id": .string(name), "ids": .list([.int(id)]), "tokens": .list([.string(name)])]))
        }),
    ])
  }
}
