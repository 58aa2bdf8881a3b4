import CleftFormats

/// Turns text into token ids.
public protocol Tokenizer: Sendable {
  /// Ids of a text, no special tokens added; special tokens written in the text become their own ids.
  func encode(_ text: String) -> [Int]
  /// Text of ids.
  func decode(_ ids: [Int]) -> String
  /// Number of ids.
  var vocabularySize: Int { get }
  /// Id that ends a text: GPT's `<|endoftext|>`, LLaMA's `</s>`, BERT's `[SEP]`.
  var endOfTextID: Int { get }
  /// Id that fills a text up to a length: the end-of-text id, BERT's `[PAD]`.
  var paddingID: Int { get }
  /// Ids before every text: none, LLaMA's `<s>`, BERT's `[CLS]`.
  var leadingIDs: [Int] { get }
  /// Ids behind every text: none, BERT's `[SEP]`.
  var trailingIDs: [Int] { get }
  /// Text of a `tokenizer.json` with this vocabulary; it gives the same ids here and in Hugging Face's
  /// `tokenizers`.
  var tokenizerJSON: String { get }
}

extension Tokenizer {
  /// Ids of a text between the leading and the trailing ids.
  ///
  /// - Parameter limit: the text is cut so that the whole has at most so many ids; nil keeps it whole.
  public func encodeWithSpecials(_ text: String, limit: Int? = nil) -> [Int] {
    let ids = encode(text)
    guard let limit else { return leadingIDs + ids + trailingIDs }
    let room = max(0, limit - leadingIDs.count - trailingIDs.count)
    return Array((leadingIDs + ids.prefix(room) + trailingIDs).prefix(max(0, limit)))
  }
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
