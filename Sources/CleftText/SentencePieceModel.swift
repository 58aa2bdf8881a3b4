import CleftFormats

/// What a `tokenizer.model` of SentencePiece holds.
///
/// - Source: `sentencepiece_model.proto`; the numbers are those of its fields.
struct SentencePieceModel {
  /// Kind of a piece; `unused` ones are not read.
  enum Kind: Int {
    case normal = 1
    case unknown, control, userDefined
    case byte = 6
  }

  struct Piece {
    var spelling = Spelling("")
    var score: Float = 0
    var kind: Kind = .normal
  }

  var pieces: [Piece] = []
  var addsPrefix = true
  var removesExtraSpaces = true
  var escapesSpaces = true
  var fallsBackToBytes = false
  var begin = Spelling("<s>")
  var end = Spelling("</s>")
  private let source: String

  /// Reads the file's bytes.
  ///
  /// - Throws: `TokenizerError.malformed` for bytes that are no model, and for models that are not LLaMA's kind:
  ///   unigram ones, ones that map characters.
  init(_ bytes: [UInt8], _ source: String) throws(TokenizerError) {
    self.source = source
    guard let fields = ProtobufReader.fields(bytes[...]), fields.contains(where: { $0.number == 1 }) else {
      throw .malformed(
        Problem(
          source, found: "no SentencePiece model", expected: "a whole tokenizer.model",
          hint: "The file may be cut off; fetch it again."))
    }
    var trainer: ArraySlice<UInt8> = []
    for (number, value) in fields {
      guard (1...3).contains(number) else { continue }
      guard let message = value.bytes else { throw problem("field \(number) of the wrong type", "a message") }
      switch number {
      case 1: pieces.append(try piece(message))
      case 2: trainer += message
      default: try readNormalizer(message)
      }
    }
    try readTrainer(trainer)
    try check()
  }

  private func problem(_ found: String, _ expected: String, hint: String = "") -> TokenizerError {
    .malformed(Problem(source, found: found, expected: expected, hint: hint))
  }

  private func piece(_ message: ArraySlice<UInt8>) throws(TokenizerError) -> Piece {
    let place = "piece \(pieces.count)"
    guard let fields = ProtobufReader.fields(message) else { throw problem("\(place) cut off", "a message") }
    var piece = Piece()
    for (number, value) in fields {
      switch number {
      case 1:
        guard let spelling = value.spelling else { throw problem("\(place) not in UTF-8", "text") }
        piece.spelling = spelling
      case 2:
        guard let score = value.float, score.isFinite else {
          throw problem("\(place) without a score", "a number")
        }
        piece.score = score
      case 3:
        guard let kind = value.int.flatMap(Kind.init) else {
          throw problem(
            "\(place) of type \(value.int ?? -1)", "normal, unknown, control, user-defined or byte")
        }
        piece.kind = kind
      default: break
      }
    }
    guard !piece.spelling.bytes.isEmpty else { throw problem("\(place) empty", "text") }
    return piece
  }

  private mutating func readTrainer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
    guard let fields = ProtobufReader.fields(message) else {
      throw problem("trainer_spec cut off", "a message")
    }
    var kind = 1
    for (number, value) in fields {
      switch number {
      case 3: kind = value.int ?? 0
      case 24 where value.bool == true: throw problem("spaces at the end of words", "spaces before words")
      case 35: fallsBackToBytes = value.bool ?? false
      case 46: begin = value.spelling ?? begin
      case 47: end = value.spelling ?? end
      default: break
      }
    }
    guard kind == 2 else {
      let name = [1: "unigram", 3: "word", 4: "character"][kind] ?? "unknown"
      throw problem("a model of the \(name) kind", "byte-pair encoding (model_type BPE)")
    }
  }

  private mutating func readNormalizer(_ message: ArraySlice<UInt8>) throws(TokenizerError) {
    guard let fields = ProtobufReader.fields(message) else {
      throw problem("normalizer_spec cut off", "a message")
    }
    for (number, value) in fields {
      switch number {
      case 2 where value.bytes?.isEmpty == false:
        throw problem(
          "a table of character replacements", "normalizer 'identity', as LLaMA has",
          hint: "Pass the tokenizer.json.")
      case 3: addsPrefix = value.bool ?? true
      case 4: removesExtraSpaces = value.bool ?? true
      case 5: escapesSpaces = value.bool ?? true
      default: break
      }
    }
  }

  private func check() throws(TokenizerError) {
    var seen: Set<Spelling> = []
    for piece in pieces where !seen.insert(piece.spelling).inserted {
      throw problem("piece '\(piece.spelling.text)' twice", "every piece once")
    }
    let unknowns = pieces.count { $0.kind == .unknown }
    guard unknowns == 1 else { throw problem("\(unknowns) unknown pieces", "one") }
    let byteCount = pieces.count { $0.kind == .byte }
    guard !fallsBackToBytes || byteCount == 256 else {
      throw problem("\(byteCount) pieces for bytes", "256, since byte_fallback is on")
    }
  }
}
