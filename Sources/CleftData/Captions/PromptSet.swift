/// Texts that stand for each class of a zero-shot question.
///
/// A class with several texts is an ensemble: the mean of their unit vectors stands for it. With negatives each class is a
/// question of its own: is a picture nearer to its texts or to those that deny it?
public struct PromptSet: Sendable, Equatable {
  /// Name in tables, for example `published`.
  public var name: String
  /// One or more texts a class, in class order.
  public var texts: [[String]]
  /// One or more texts that deny each class; nil where classes are compared with each other.
  public var negatives: [[String]]?

  /// Makes a set.
  public init(name: String, texts: [[String]], negatives: [[String]]? = nil) {
    self.name = name
    self.texts = texts
    self.negatives = negatives
  }

  /// Makes a set of one text a class.
  public init(name: String, prompts: [String]) { self.init(name: name, texts: prompts.map { [$0] }) }

  /// The first text of each class.
  public var prompts: [String] { texts.map { $0[0] } }

  /// Every text, those that deny a class behind the others.
  public var allTexts: [String] { (texts + (negatives ?? [])).flatMap { $0 } }

  /// Whether every class has one text, and none that denies it.
  public var isPlain: Bool { negatives == nil && texts.allSatisfy { $0.count == 1 } }
}
