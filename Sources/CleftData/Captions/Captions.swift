import Foundation

/// Captions and prompts, word for word as the published program builds them.
public enum Captions {
  /// What every chest caption starts with; also what prompt vectors start from.
  public static let chestPrefix = "This is a chest X ray of a patient with "

  /// The sentences of a CheXpert row: its positive findings behind the prefix.
  ///
  /// - Parameters:
  ///   - positives: in class order.
  ///   - negatives: listed behind `but this image has no`; nil leaves that part out.
  ///   - hasPrefix: off in prompt tuning, where vectors take the prefix's place.
  /// - Returns: cleaned sentences; empty when there are no words.
  public static func chexpert(positives: [Finding], negatives: [Finding]? = nil, hasPrefix: Bool) -> [String]
  {
    var text = hasPrefix ? chestPrefix : ""
    for finding in positives { text += finding.rawValue + " " }
    if let negatives {
      text += "but this image has no "
      for finding in negatives where finding != .noFinding { text += finding.rawValue + " " }
    }
    return sentences(text)
  }

  /// Cleans a report: split at numbered points and full stops, lowercase, words only.
  public static func sentences(_ text: String) -> [String] {
    var fragments: [[Unicode.Scalar]] = [[]]
    let scalars = Array(text.unicodeScalars.map { $0 == "\n" ? " " : $0 })
    var i = 0
    while i < scalars.count {
      var digits = i
      while digits < scalars.count, scalars[digits].properties.generalCategory == .decimalNumber,
        scalars[digits].isASCII
      {
        digits += 1
      }
      if digits > i, digits < scalars.count, scalars[digits] == "." {
        fragments.append([])
        i = digits + 1
      } else if scalars[i] == "." {
        fragments.append([])
        i += 1
      } else if digits > i {
        fragments[fragments.count - 1] += scalars[i..<digits]
        i = digits
      } else {
        fragments[fragments.count - 1].append(scalars[i])
        i += 1
      }
    }
    return fragments.map(words).filter { !$0.isEmpty }
  }

  /// A zero-shot prompt: prefix and class name, lowercased, otherwise as written.
  public static func prompt(_ className: String, hasPrefix: Bool = true) -> String {
    ((hasPrefix ? chestPrefix : "") + className).lowercased()
  }

  /// Runs of word characters, ASCII ones kept, joined by single spaces.
  private static func words(_ fragment: [Unicode.Scalar]) -> String {
    var words: [String] = []
    var word = ""
    var text = ""
    text.unicodeScalars.append(contentsOf: fragment)
    let pair = "\u{FFFD}\u{FFFD}"
    for scalar in text.replacingOccurrences(of: pair, with: " ").lowercased().unicodeScalars {
      let isWord = scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
      if isWord {
        if scalar.isASCII { word.unicodeScalars.append(scalar) }
      } else if !word.isEmpty {
        words.append(word)
        word = ""
      }
    }
    if !word.isEmpty { words.append(word) }
    return words.joined(separator: " ")
  }
}
