/// GPT-2's division of text into pieces that merges never cross.
///
/// The pattern is `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
/// - Source: Radford et al. 2019, `encoder.py`; the categories are those of Unicode.
public enum PreTokenizer {
  private enum Kind {
    case letter, number, space, other
  }

  private static let contractions: [[Unicode.Scalar]] = ["s", "t", "re", "ve", "m", "ll", "d"].map {
    Array($0.unicodeScalars)
  }

  /// The pieces of a text, in order; together they are the text.
  public static func pieces(_ text: String) -> [String] {
    let scalars = Array(text.unicodeScalars)
    let kinds = scalars.map(kind)
    var pieces: [String] = []
    var start = 0
    while start < scalars.count {
      let end = pieceEnd(scalars, kinds, start)
      var piece = String.UnicodeScalarView()
      piece.append(contentsOf: scalars[start..<end])
      pieces.append(String(piece))
      start = end
    }
    return pieces
  }

  private static func pieceEnd(_ scalars: [Unicode.Scalar], _ kinds: [Kind], _ start: Int) -> Int {
    if scalars[start] == "'" {
      for contraction in contractions where scalars[(start + 1)...].starts(with: contraction) {
        return start + 1 + contraction.count
      }
    }
    // An optional plain space joins the run behind it.
    let first =
      scalars[start] == " " && start + 1 < scalars.count && kinds[start + 1] != .space ? start + 1 : start
    var end = first
    while end < scalars.count, kinds[end] == kinds[first] { end += 1 }
    if kinds[first] != .space || end == scalars.count { return end }
    // White space before a word leaves its last character to the word, or to a piece of its own.
    return end - start > 1 ? end - 1 : end
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar.isASCII {
      switch scalar.value {
      case 0x41...0x5A, 0x61...0x7A: return .letter
      case 0x30...0x39: return .number
      case 0x20, 0x09...0x0D: return .space
      default: return .other
      }
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }
}

/// GPT-2's spelling of bytes as printable characters, used in vocabulary files.
enum ByteSpelling {
  /// Character of each byte.
  static let characters: [Character] = {
    var shifted: UInt32 = 256
    return (0..<256).map { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      if !isPrintable { defer { shifted += 1 }; return Unicode.Scalar(shifted).map(Character.init) ?? " " }
      return Character(Unicode.Scalar(UInt8(byte)))
    }
  }()

  static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: characters.enumerated().compactMap { byte, character in
      character.unicodeScalars.first.map { ($0, UInt8(byte)) }
    })

  /// The spelling of some bytes.
  static func spell(_ bytes: some Sequence<UInt8>) -> String { String(bytes.map { characters[Int($0)] }) }

  /// The bytes of a spelling, nil if a character stands for none.
  static func bytes(of spelling: String) -> [UInt8]? {
    var result: [UInt8] = []
    for scalar in spelling.unicodeScalars {
      guard let byte = bytes[scalar] else { return nil }
      result.append(byte)
    }
    return result
  }
}
