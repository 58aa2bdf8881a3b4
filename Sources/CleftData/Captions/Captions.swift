/// Cleaning of captions, character by character as the published program does it.
///
/// The texts themselves are in `CaptionTemplates`.
public enum Captions {
  /// What every published chest caption starts with; also what prompt vectors start from.
  public static let chestPrefix = "This is a chest X ray of a patient with "

  /// Cleans a report: split at numbered points and full stops, lowercase, words only, ASCII letters only.
  ///
  /// Words are Python's `\w+`. The published program also turns line ends and pairs of U+FFFD into spaces; neither is
  /// part of a word, so that changes nothing and is left out here.
  /// - Returns: sentences with at least one word each, words joined by single spaces.
  /// - Source: `cleft.md` §2.2.3, steps 4 to 8.
  public static func sentences(_ text: String) -> [String] {
    var sentences: [String] = []
    var sentence = SentenceWords()
    for scalar in text.unicodeScalars {
      if scalar == "." {
        if let done = sentence.finish() { sentences.append(done) }
      } else if scalar.isASCII {
        sentence.append(ascii: UInt8(truncatingIfNeeded: scalar.value))
      } else {
        sentence.append(other: scalar)
      }
    }
    // A point without its full stop is not a numbered one: its digits stay.
    if let last = sentence.finish(dropsNumber: false) { sentences.append(last) }
    return sentences
  }
}

/// The words of the sentence that is being read.
private struct SentenceWords {
  /// ASCII characters of the words so far, single spaces between them.
  private var bytes: [UInt8] = []
  /// Whether something other than a word stands between the last byte and what comes.
  private var isBetweenWords = false
  /// Digits directly before the place of reading.
  private var digitCount = 0

  /// The character table of Python 3.11, to which younger characters are unassigned.
  private static let unicodeVersion = 14

  mutating func append(ascii byte: UInt8) {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      digitCount += 1
      append(word: byte)
      return
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): append(word: byte | 0x20)
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"): append(word: byte)
    default: isBetweenWords = true
    }
    digitCount = 0
  }

  /// A character beyond ASCII: dropped, but some lowercase to an ASCII letter (the Kelvin sign), and some end a word.
  mutating func append(other scalar: Unicode.Scalar) {
    digitCount = 0
    guard let age = scalar.properties.age, age.major <= Self.unicodeVersion else {
      isBetweenWords = true
      return
    }
    for lower in scalar.properties.lowercaseMapping.unicodeScalars {
      if lower.isASCII {
        append(word: UInt8(truncatingIfNeeded: lower.value))
      } else if !Self.isWord(lower) {
        isBetweenWords = true
      }
    }
  }

  private mutating func append(word byte: UInt8) {
    if isBetweenWords, !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
    isBetweenWords = false
    bytes.append(byte)
  }

  /// Ends the sentence and starts the next; nil without words.
  mutating func finish(dropsNumber: Bool = true) -> String? {
    if dropsNumber { bytes.removeLast(digitCount) }
    if bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    defer { self = SentenceWords() }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// Whether Python counts a scalar as `\w`: letters and whatever has a numeric value.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: scalar.properties.numericType != nil
    }
  }
}
