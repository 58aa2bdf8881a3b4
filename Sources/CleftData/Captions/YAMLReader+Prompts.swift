import CleftFormats
import Yams

extension YAMLReader {
  /// What a map says of a class.
  private static let sides = ["positive", "negative"]

  /// A prompt set: a text, a list of texts, or a map of texts for and against each class.
  func prompt(_ name: String, _ node: Node) throws(DataError) -> PromptTemplate {
    let key = "prompts: \(name)"
    var classes: [(name: String, texts: PromptTemplate.Texts)] = []
    var general = PromptTemplate.Texts()
    if node.mapping == nil {
      general.positive = try texts(node, key)
    } else {
      try requireQuotes(node, key)
      let sections = try map(node, key, allowed: Self.sides + ["classes"])
      general = try pair(sections.filter { $0.key != "classes" }, key)
      if let own = sections.first(where: { $0.key == "classes" }) {
        for (className, node) in try map(own.node, "\(key): classes") {
          classes.append((className, try classTexts(node, "\(key): classes: \(className)")))
        }
      }
    }
    return PromptTemplate(name: name, origin: origin(node, key), general: general, classes: classes)
  }

  private func classTexts(_ node: Node, _ key: String) throws(DataError) -> PromptTemplate.Texts {
    guard node.mapping != nil else { return PromptTemplate.Texts(positive: try texts(node, key)) }
    try requireQuotes(node, key)
    return try pair(try map(node, key, allowed: Self.sides), key)
  }

  private func pair(_ sections: [(key: String, node: Node)], _ key: String) throws(DataError)
    -> PromptTemplate.Texts
  {
    var pair = PromptTemplate.Texts()
    for (side, node) in sections {
      let texts = try texts(node, "\(key): \(side)")
      if side == "positive" { pair.positive = texts } else { pair.negative = texts }
    }
    return pair
  }

  /// One text, or a list of them.
  private func texts(_ node: Node, _ key: String) throws(DataError) -> [TextTemplate] {
    let nodes = node.sequence.map(Array.init) ?? [node]
    guard !nodes.isEmpty else {
      throw .badData(Problem(origin(node, key), found: "an empty list", expected: "at least one text"))
    }
    var texts: [TextTemplate] = []
    for entry in nodes {
      let written = try text(entry, key)
      guard !written.allSatisfy(\.isWhitespace) else {
        throw .badData(
          Problem(origin(entry, key), found: "no text", expected: "a text that stands for a class"))
      }
      texts.append(try TextTemplate(written, origin: origin(entry, key)))
    }
    return texts
  }

  /// Fails for `{CLASS}` without quotes, which YAML takes for a map with nothing in it.
  private func requireQuotes(_ node: Node, _ key: String) throws(DataError) {
    guard let mapping = node.mapping, !mapping.isEmpty else { return }
    let isGap = mapping.allSatisfy { name, value in
      guard let value = value.scalar, let name = name.scalar?.string else { return false }
      return value.style == .plain && value.string.isEmpty && !(Self.sides + ["classes"]).contains(name)
    }
    guard isGap else { return }
    throw .badData(
      Problem(
        origin(node, key), found: kind(node), expected: "a text",
        hint: "Quote texts that start with a brace or bracket."))
  }
}
