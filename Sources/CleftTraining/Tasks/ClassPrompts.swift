import CleftData
import CleftFormats
import CleftText

/// Class prompts as a model reads them.
struct ClassPrompts {
  let description: ModelDescription
  let tokenizer: any Tokenizer
  /// See `ModelDescription.tokens`.
  let keepsLeadingSpace: Bool

  /// Token ids of a prompt.
  ///
  /// - Parameter isLimited: off keeps what is behind the model's columns.
  func tokens(_ prompt: String, isLimited: Bool = true) -> [Int] {
    description.tokens(prompt, tokenizer, keepsLeadingSpace: keepsLeadingSpace, isLimited: isLimited)
  }

  /// Prompts of one question that are cut at the model's columns.
  ///
  /// - Throws: `TrainingError.badConfiguration` if two classes then read alike: every picture would be the first one's.
  func requireDistinct(_ prompts: [String]) throws(TrainingError) -> Set<String> {
    var cut: Set<String> = []
    var known: [[Int]: String] = [:]
    for prompt in prompts {
      let ids = tokens(prompt)
      if tokens(prompt, isLimited: false).count > ids.count { cut.insert(prompt) }
      guard let other = known.updateValue(prompt, forKey: ids) else { continue }
      throw .badConfiguration(
        Problem(
          "prompt '\(prompt)'",
          found: other == prompt ? "twice" : "the same as '\(other)' within \(ids.count) tokens",
          expected: "a prompt for each class",
          hint: other == prompt ? "Name the class in it with {CLASS}." : "Raise --caption_length."))
    }
    return cut
  }
}
