/// A token that is found in a text before the vocabulary's pieces are.
struct AddedToken: Sendable {
  var content: Spelling
  var id: Int
  /// Found only between characters that are no part of words.
  var isSingleWord = false
  /// Takes the white space before it.
  var stripsLeft = false
  /// Takes the white space behind it.
  var stripsRight = false
  /// Looked for in the normalized text, itself normalized.
  var isNormalized = false
  var isSpecial = true

  /// As an entry of `added_tokens`.
  var json: JSONNode {
    .object([
      "id": .int(id), "content": .string(content), "single_word": .bool(isSingleWord),
      "lstrip": .bool(stripsLeft), "rstrip": .bool(stripsRight), "normalized": .bool(isNormalized),
      "special": .bool(isSpecial),
    ])
  }
}

/// Divides texts at added tokens.
///
/// Tokens that are not normalized come first, in the text as it is written; what lies between them is normalized, then
/// divided at the others. The longest token at the leftmost place wins.
/// - Source: Hugging Face `tokenizers`, `AddedVocabulary`.
struct AddedTokens: Sendable {
  /// A stretch of a text.
  enum Part {
    case token(Int)
    /// Normalized text; `isFirst` says that nothing came before it.
    case text([Unicode.Scalar], isFirst: Bool)
  }

  /// The tokens in order of their ids.
  let all: [AddedToken]
  private let written: Matcher
  private let normalized: Matcher
  private let normalize: @Sendable ([Unicode.Scalar]) -> [Unicode.Scalar]

  init(_ tokens: [AddedToken], normalize: @escaping @Sendable ([Unicode.Scalar]) -> [Unicode.Scalar]) {
    all = tokens.sorted { $0.id < $1.id }
    let ordered = tokens.filter(\.isSpecial) + tokens.filter { !$0.isSpecial }
    written = Matcher(ordered.filter { !$0.isNormalized }.map { ($0.content.scalars, $0) })
    normalized = Matcher(ordered.filter(\.isNormalized).map { (normalize($0.content.scalars), $0) })
    self.normalize = normalize
  }

  /// The parts of a text, in order.
  func parts(of text: String) -> [Part] {
    let scalars = Array(text.unicodeScalars)
    var parts: [Part] = []
    for (outer, id) in written.split(scalars) {
      if let id {
        parts.append(.token(id))
        continue
      }
      let section = normalize(Array(scalars[outer]))
      for (inner, id) in normalized.split(section) {
        let isFirst = outer.lowerBound == 0 && inner.lowerBound == 0
        parts.append(id.map(Part.token) ?? .text(Array(section[inner]), isFirst: isFirst))
      }
    }
    return parts
  }

  /// Finds some tokens.
  private struct Matcher {
    private let candidates: [Unicode.Scalar: [(content: [Unicode.Scalar], token: AddedToken)]]

    init(_ tokens: [(content: [Unicode.Scalar], token: AddedToken)]) {
      var candidates: [Unicode.Scalar: [(content: [Unicode.Scalar], token: AddedToken)]] = [:]
      for entry in tokens {
        if let first = entry.content.first { candidates[first, default: []].append(entry) }
      }
      // Of equal ones the first stays first.
      self.candidates = candidates.mapValues { entries in
        entries.enumerated().sorted {
          ($1.element.content.count, $0.offset) < ($0.element.content.count, $1.offset)
        }
        .map(\.element)
      }
    }

    /// Ranges that cover the text, with the id of the token in each that holds one.
    func split(_ text: [Unicode.Scalar]) -> [(Range<Int>, Int?)] {
      guard !candidates.isEmpty else { return [(0..<text.count, nil)] }
      var parts: [(Range<Int>, Int?)] = []
      var done = 0
      var i = 0
      while i < text.count {
        guard let hit = candidates[text[i]]?.first(where: { text[i...].starts(with: $0.content) }) else {
          i += 1
          continue
        }
        var (start, end) = (i, i + hit.content.count)
        i = end
        if hit.token.isSingleWord {
          let touches =
            (start > 0 && text[start - 1].isWordPart) || (end < text.count && text[end].isWordPart)
          if touches { continue }
        }
        if hit.token.stripsLeft {
          while start > done, text[start - 1].properties.isWhitespace { start -= 1 }
        }
        if hit.token.stripsRight {
          while end < text.count, text[end].properties.isWhitespace { end += 1 }
        }
        if done < start { parts.append((done..<start, nil)) }
        parts.append((min(start, end)..<end, hit.token.id))
        done = end
      }
      if done < text.count { parts.append((done..<text.count, nil)) }
      return parts
    }
  }
}

extension Unicode.Scalar {
  /// Whether regular expressions call this a word character.
  fileprivate var isWordPart: Bool {
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
