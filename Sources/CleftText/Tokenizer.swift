import CleftFormats

/// Turns text into token ids.
public protocol Tokenizer: Sendable {
  /// Ids of a text, no special tokens added; special tokens written in the text become their own ids.
  func encode(_ text: String) -> [Int]
  /// Text of ids.
  func decode(_ ids: [Int]) -> String
  /// Number of ids.
  var vocabularySize: Int { get }
  /// Id that ends a text; also the padding.
  var endOfTextID: Int { get }
}

/// Errors of reading a vocabulary.
public enum TokenizerError: CleftError {
  /// A file does not hold what a tokenizer needs.
  case malformed(Problem)
  /// There is no tokenizer at the path.
  case missing(Problem)

  /// The parts of the message.
  public var problem: Problem {
    switch self {
    case .malformed(let problem), .missing(let problem): problem
    }
  }

  /// 65 or 66.
  public var exitStatus: ExitStatus {
    switch self {
    case .malformed: .badData
    case .missing: .missingInput
    }
  }
}
