import CleftData
import CleftFormats
import Foundation

/// Prompts as they are typed: texts with `;` between them, each a class; `TEXT | AGAINST` where each is a question of its
/// own.
struct TypedPrompts {
  /// The texts as they are typed, which are the names of the classes.
  let classNames: [String]
  /// Texts against each class; nil where classes are compared with each other.
  let negatives: [String]?

  /// Reads them.
  ///
  /// - Throws: `CommandLineError.badValue` for an empty text, one given twice, too few, or a `|` that means nothing.
  init(_ typed: String, asksEach: Bool) throws(CommandLineError) {
    func refuse(_ found: String, _ expected: String, _ hint: String = "") -> CommandLineError {
      .badValue(Problem("--prompts", found: found, expected: expected, hint: hint))
    }
    var (names, against): ([String], [String]) = ([], [])
    var parts = typed.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
    // One behind the last text ends it.
    if parts.count > 1, parts.last == "" { parts.removeLast() }
    for part in parts {
      let sides = part.split(separator: "|", omittingEmptySubsequences: false).map(Self.trimmed)
      guard sides.count <= (asksEach ? 2 : 1) else {
        throw refuse(
          "'\(part)'", asksEach ? "TEXT or TEXT | AGAINST" : "a text",
          asksEach ? "" : "Pass --multi_label to ask of each text by itself.")
      }
      guard !sides.contains("") else {
        throw refuse("an empty text\(part.isEmpty ? "" : " in '\(part)'")", "texts with ';' between them")
      }
      names.append(sides[0])
      against.append(sides.count == 2 ? sides[1] : "no \(sides[0])")
    }
    let read = names.map { $0.lowercased() }
    for (place, name) in read.enumerated() where read[..<place].contains(name) {
      throw refuse("'\(names[place])' twice", "different texts")
    }
    for (name, other) in zip(names, against) where name.lowercased() == other.lowercased() {
      throw refuse("'\(name)' both for and against", "different texts")
    }
    guard asksEach || names.count > 1 else {
      throw refuse(
        "one text, '\(names[0])'", "at least two to compare",
        "Pass --multi_label to hold it against 'no \(names[0])'.")
    }
    classNames = names
    negatives = asksEach ? against : nil
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The texts as a prompt set.
  ///
  /// - Parameter read: how a model reads a text.
  func set(_ read: (String) -> String) -> PromptSet {
    PromptSet(
      name: "typed", texts: classNames.map { [read($0)] }, negatives: negatives?.map { [read($0)] })
  }
}
