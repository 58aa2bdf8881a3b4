import CleftFormats

/// A text with gaps: `{VALUE}` is filled with a value, `{VALUE|other}` with `other` where the value is unknown.
///
/// `{{` is a brace of the text itself; a closing brace outside a gap stands for itself.
struct TextTemplate: Sendable, Equatable {
  /// What a text is made of.
  private enum Piece: Sendable, Equatable {
    case text(String)
    case value(name: String, otherwise: String?)
  }

  private let pieces: [Piece]
  /// File, line and key, for messages.
  let origin: String

  /// Reads a text.
  ///
  /// - Throws: `DataError.badData` for a brace that is never closed, stands inside another or holds no name.
  init(_ text: String, origin: String) throws(DataError) {
    self.origin = origin
    var pieces: [Piece] = []
    var literal = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      guard character == "{" else {
        literal.append(character)
        continue
      }
      if rest.first == "{" {
        rest.removeFirst()
        literal.append("{")
        continue
      }
      if !literal.isEmpty { pieces.append(.text(literal)) }
      literal = ""
      pieces.append(try Self.gap(&rest, origin))
    }
    if !literal.isEmpty { pieces.append(.text(literal)) }
    self.pieces = pieces
  }

  /// What stands between an opening brace and its closing one, both taken from the text.
  private static func gap(_ rest: inout Substring, _ origin: String) throws(DataError) -> Piece {
    guard let end = rest.firstIndex(of: "}"), !rest[..<end].contains("{") else {
      throw .badData(
        Problem(
          origin, found: "an open brace without its closing one before '\(oneLine(rest.prefix(20)))'",
          expected: "{VALUE} or {VALUE|other text}", hint: "Write {{ for a brace of the text itself."))
    }
    let inside = rest[..<end].split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
    rest = rest[rest.index(after: end)...]
    guard let name = inside.first, !name.isEmpty else {
      throw .badData(
        Problem(origin, found: "braces without a name", expected: "{VALUE} or {VALUE|other text}"))
    }
    return .value(name: String(name), otherwise: inside.count > 1 ? String(inside[1]) : nil)
  }

  /// Names of the values that the text asks for.
  var names: [String] {
    pieces.compactMap { if case .value(let name, _) = $0 { name } else { nil } }
  }

  /// The text with its gaps filled; nil if a value is unknown and nothing is said to stand in its place.
  func filled(_ values: [String: String]) -> String? {
    var text = ""
    for piece in pieces {
      switch piece {
      case .text(let literal): text += literal
      case .value(let name, let otherwise):
        guard let value = values[name] ?? otherwise else { return nil }
        text += value
      }
    }
    return text
  }
}

/// A text of a file as a message can hold it: on one line, and not without end.
func oneLine(_ text: some StringProtocol) -> String {
  let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
  return line.count > 80 ? line.prefix(80) + "…" : line
}
