import ArgumentParser

extension ArgumentHelp {
  /// Help of an option whose value stands on the page as its unit or kind, for example `<steps>`.
  static func value(_ name: String, _ text: String, _ discussion: String = "") -> ArgumentHelp {
    ArgumentHelp(text, discussion: discussion, valueName: name)
  }
}

/// Fails with option, value and what is expected, unless a condition holds.
func requireOption(
  _ holds: Bool, _ name: String, _ value: some CustomStringConvertible, _ expected: String
) throws {
  if !holds { throw ValidationError("--\(name) is \(value); expected \(expected).") }
}

/// The same of a word out of a list.
func requireOption(_ name: String, _ word: String, among words: [String]) throws {
  if !words.contains(word) {
    throw ValidationError("--\(name) is '\(word)'; expected \(words.joined(separator: ", ")).")
  }
}
