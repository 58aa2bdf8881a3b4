import CleftFormats

extension SectionRules {
  /// Reads the rules from a `tokenizer.json`.
  ///
  /// - Throws: `TokenizerError.malformed` naming a step that is none of LLaMA's.
  init(_ json: JSONNode, _ source: String) throws(TokenizerError) {
    steps = []
    for step in Self.flat(json["normalizer"], "normalizers") { steps.append(try Self.step(step, source)) }
    for entry in Self.flat(json["pre_tokenizer"], "pretokenizers") {
      guard entry["type"]?.text == "Metaspace", metaspace == nil else {
        throw .malformed(
          Problem(
            "\(source): pre_tokenizer", found: "'\(entry["type"]?.text ?? "no type")'",
            expected: "Metaspace or none"))
      }
      metaspace = try Self.metaspace(entry, source)
    }
  }

  /// The normalizer of a `tokenizer.json`.
  var normalizerJSON: JSONNode {
    guard !steps.isEmpty else { return .null }
    let listed = steps.map { step in
      switch step {
      case .prepend(let text): JSONNode.object(["type": "Prepend", "prepend": .string(Spelling(text))])
      case .replace(let old, let new):
        JSONNode.object([
          "type": "Replace", "pattern": .object(["String": .string(Spelling(old))]),
          "content": .string(Spelling(new)),
        ])
      case .replaceMatches(let expression, let new):
        JSONNode.object([
          "type": "Replace", "pattern": .object(["Regex": .string(expression.rawValue)]),
          "content": .string(Spelling(new)),
        ])
      }
    }
    return .object(["type": "Sequence", "normalizers": .list(listed)])
  }

  /// The pre-tokenizer of a `tokenizer.json`.
  var preTokenizerJSON: JSONNode {
    guard let metaspace else { return .null }
    return .object([
      "type": "Metaspace", "replacement": .string(Spelling([metaspace.replacement])),
      "prepend_scheme": .string(metaspace.scheme.rawValue), "split": .bool(metaspace.isSplit),
    ])
  }

  /// The decoder of a `tokenizer.json`.
  var decoderJSON: JSONNode {
    let space = metaspace?.replacement ?? Self.space
    var decoders: [JSONNode] = [
      .object([
        "type": "Replace", "pattern": .object(["String": .string(Spelling([space]))]), "content": " ",
      ]),
      .object(["type": "ByteFallback"]), .object(["type": "Fuse"]),
    ]
    if addsSpace {
      decoders.append(.object(["type": "Strip", "content": " ", "start": .int(1), "stop": .int(0)]))
    }
    return .object(["type": "Sequence", "decoders": .list(decoders)])
  }

  /// The steps of a node: none, one, or those of sequences, in order.
  private static func flat(_ node: JSONNode?, _ key: String) -> [JSONNode] {
    guard let node, !node.isNull else { return [] }
    guard node["type"]?.text == "Sequence" else { return [node] }
    return (node[key]?.list ?? []).flatMap { flat($0, key) }
  }

  private static func step(_ node: JSONNode, _ source: String) throws(TokenizerError) -> Step {
    switch node["type"]?.text {
    case "Prepend":
      if let prefix = node["prepend"]?.spelling { return .prepend(prefix.scalars) }
    case "Replace":
      let new = node["content"]?.spelling?.scalars
      if let new, let old = node["pattern"]?["String"]?.spelling, !old.bytes.isEmpty {
        return .replace(old.scalars, new)
      }
      if let new, let known = node["pattern"]?["Regex"]?.text.flatMap(Expression.init) {
        return .replaceMatches(known, new)
      }
    default: break
    }
    throw .malformed(
      Problem(
        "\(source): normalizer", found: "'\(node["type"]?.text ?? "no type")' of a kind that is not read",
        expected: "Prepend, or Replace of a plain text, as LLaMA has"))
  }

  private static func metaspace(_ node: JSONNode, _ source: String) throws(TokenizerError) -> Metaspace {
    let name = node["prepend_scheme"]?.text ?? (node["add_prefix_space"]?.bool == false ? "never" : "always")
    let replacement = node["replacement"]?.spelling?.scalars ?? [space]
    guard let scheme = Metaspace.Scheme(rawValue: name), replacement.count == 1 else {
      throw .malformed(
        Problem(
          "\(source): Metaspace",
          found: "prepend_scheme '\(name)', replacement of \(replacement.count) scalars",
          expected: "always, first or never, and one scalar"))
    }
    return Metaspace(replacement: replacement[0], scheme: scheme, isSplit: node["split"]?.bool ?? true)
  }
}
