/// BERT's cleaning of a text, and its division into words.
///
/// - Source: Devlin et al. 2019, `tokenization.py`; the options are those of Hugging Face's `BertNormalizer`.
struct BertNormalizer: Sendable, Equatable {
  /// Removes control characters and writes every white space as a space.
  var cleansText = true
  /// Puts spaces around Chinese characters.
  var separatesChinese = true
  /// Removes accents; nil follows `lowercases`.
  var stripsAccents: Bool?
  var lowercases = true

  /// The text after all steps.
  func normalized(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var text = text
    if cleansText { text = text.compactMap(Self.clean) }
    if separatesChinese { text = text.flatMap { Self.isChinese($0) ? [" ", $0, " "] : [$0] } }
    if stripsAccents ?? lowercases {
      text = Decomposition.decomposed(text).filter { $0.bertCategory != .nonspacingMark }
    }
    if lowercases { text = text.flatMap(Self.lowercase) }
    return text
  }

  /// The words: runs without white space, divided before and behind every punctuation character.
  static func words(_ text: [Unicode.Scalar]) -> [[Unicode.Scalar]] {
    var words: [[Unicode.Scalar]] = []
    var isOpen = false
    for scalar in text {
      if scalar.properties.isWhitespace {
        isOpen = false
      } else if isPunctuation(scalar) {
        words.append([scalar])
        isOpen = false
      } else if isOpen {
        words[words.count - 1].append(scalar)
      } else {
        words.append([scalar])
        isOpen = true
      }
    }
    return words
  }

  private static func clean(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
    switch scalar.value {
    case 0x20...0x7E: return scalar
    case 0x09, 0x0A, 0x0D: return " "
    case 0xFFFD: return nil
    default: break
    }
    switch scalar.bertCategory {
    case .control, .format, .privateUse: return nil
    default: return scalar.properties.isWhitespace ? " " : scalar
    }
  }

  private static func lowercase(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    if scalar.isASCII {
      return [(0x41...0x5A).contains(scalar.value) ? Unicode.Scalar(UInt8(scalar.value) + 0x20) : scalar]
    }
    return Array(scalar.properties.lowercaseMapping.unicodeScalars)
  }

  private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      return true
    default: return false
    }
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0..<0x80: return false
    default: break
    }
    switch scalar.bertCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }
}

extension Unicode.Scalar {
  /// The general category that `tokenizers` works with: that of Unicode 8, so that ids equal.
  fileprivate var bertCategory: Unicode.GeneralCategory {
    // Those whose category has been another one since.
    switch value {
    case 0x1885, 0x1886: return .otherLetter
    case 0x1734, 0x1171E, 0xA9BD: return value == 0xA9BD ? .spacingMark : .nonspacingMark
    case 0x166D, 0x111C9: return .otherPunctuation
    default: break
    }
    guard let age = properties.age, age.major <= 8 else { return .unassigned }
    return properties.generalCategory
  }
}
