/// The shipped vocabulary: 512 ids learned from the captions of a synthetic chest set.
///
/// Made by `Scripts/make-default-vocabulary`; do not edit by hand.
public enum DefaultVocabulary {
  /// The tokenizer.
  public static let tokenizer: ByteLevelBPE = {
    let pairs = merges.split(separator: "\n").map { line in
      let parts = line.split(separator: " ").map(String.init)
      return (parts[0], parts[1])
    }
    let result = BPETrainer.assembled(pairs)
    do {
      return try ByteLevelBPE(
        vocabulary: result.vocabulary, merges: result.merges, added: [:], source: "shipped vocabulary")
    } catch {
      preconditionFailure("shipped vocabulary: \(error)")
    }
  }()

  static let merges = """
    """
}
