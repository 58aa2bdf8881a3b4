/// What happens to a section of text between two added tokens before pieces are merged.
///
/// LLaMA's two published forms are a normalizer (`Prepend`, `Replace`) that works on every section, and the
/// pre-tokenizer `Metaspace`, which can tell the first section from the others.
struct SectionRules: Sendable, Equatable {
  /// One step of the normalizer.
  enum Step: Sendable, Equatable {
    /// Puts a text before a section that is not empty.
    case prepend([Unicode.Scalar])
    /// Replaces every occurrence of a text.
    case replace([Unicode.Scalar], [Unicode.Scalar])
    /// Replaces what one of the known expressions matches.
    case replaceMatches(Expression, [Unicode.Scalar])
  }

  /// The expressions that `remove_extra_whitespaces` of SentencePiece becomes.
  enum Expression: String, Sendable, CaseIterable {
    case leadingSpaces = #"\A +"#
    case repeatedSpaces = " {2,}"
    case trailingMetaspaces = #"▁+\z"#
    case trailingSpaces = #" +\z"#
  }

  /// The pre-tokenizer that writes spaces as another character.
  struct Metaspace: Sendable, Equatable {
    /// Which sections get the character in front.
    enum Scheme: String, Sendable {
      case always, first, never
    }

    var replacement: Unicode.Scalar = SectionRules.space
    var scheme: Scheme
    /// Whether a section is divided before every such character.
    var isSplit: Bool
  }

  /// The character that stands for a space.
  static let space: Unicode.Scalar = "\u{2581}"

  var steps: [Step]
  var metaspace: Metaspace?

  /// Whether a decoded text loses its first space.
  var addsSpace: Bool {
    if let metaspace { return metaspace.scheme != .never }
    return steps.contains { if case .prepend = $0 { true } else { false } }
  }

  /// A section after the normalizer.
  func normalized(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    steps.reduce(text) { text, step in
      switch step {
      case .prepend(let prefix): text.isEmpty ? text : prefix + text
      case .replace(let old, let new): Self.replacing(old, new, in: text)
      case .replaceMatches(let expression, let new): Self.replacing(expression, new, in: text)
      }
    }
  }

  /// The words of a normalized section; merges never cross them.
  func words(_ text: [Unicode.Scalar], isFirst: Bool) -> [[Unicode.Scalar]] {
    guard !text.isEmpty else { return [] }
    guard let metaspace else { return [text] }
    var text = text.map { $0 == " " ? metaspace.replacement : $0 }
    let isPrefixed = metaspace.scheme == .always || (metaspace.scheme == .first && isFirst)
    if isPrefixed, text.first != metaspace.replacement { text.insert(metaspace.replacement, at: 0) }
    guard metaspace.isSplit else { return [text] }
    var words: [[Unicode.Scalar]] = []
    for scalar in text {
      if scalar == metaspace.replacement || words.isEmpty { words.append([]) }
      words[words.count - 1].append(scalar)
    }
    return words
  }

  private static func replacing(_ old: [Unicode.Scalar], _ new: [Unicode.Scalar], in text: [Unicode.Scalar])
    -> [Unicode.Scalar]
  {
    guard let first = old.first else { return text }
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var i = 0
    while i < text.count {
      if text[i] == first, text[i...].starts(with: old) {
        result += new
        i += old.count
      } else {
        result.append(text[i])
        i += 1
      }
    }
    return result
  }

  private static func replacing(
    _ expression: Expression, _ new: [Unicode.Scalar], in text: [Unicode.Scalar]
  ) -> [Unicode.Scalar] {
    switch expression {
    case .leadingSpaces:
      let rest = text.drop { $0 == " " }
      return rest.count == text.count ? text : new + rest
    case .trailingMetaspaces, .trailingSpaces:
      let trailing = expression == .trailingSpaces ? " " : space
      let end = (text.lastIndex { $0 != trailing } ?? -1) + 1
      return end == text.count ? text : text[..<end] + new
    case .repeatedSpaces:
      var result: [Unicode.Scalar] = []
      var i = 0
      while i < text.count {
        let end = text[i...].firstIndex { $0 != " " } ?? text.count
        result += end - i > 1 ? new : Array(text[i..<max(end, i + 1)])
        i = max(end, i + 1)
      }
      return result
    }
  }
}
