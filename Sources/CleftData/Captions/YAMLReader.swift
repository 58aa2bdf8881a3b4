import CleftFormats
import Yams

/// Takes YAML nodes apart, naming line and key of what does not fit.
struct YAMLReader {
  /// How messages call the file.
  let source: String

  /// The sections of a file, in its order.
  ///
  /// - Throws: `DataError.badData` with line and key.
  func sections(_ yaml: String, allowed: [String]) throws(DataError) -> [(key: String, node: Node)] {
    let root: Node?
    do { root = try Yams.compose(yaml: yaml) } catch { throw .badData(problem(error)) }
    return try map(root ?? Node([(Node, Node)]()), "", allowed: allowed)
  }

  /// What the YAML reader stumbled over, and on which line.
  private func problem(_ error: any Error) -> Problem {
    let hint = "Quote texts that hold { or : or #."
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return Problem("\(source):\(mark.line)", found: "not YAML (\(oneLine(problem)))", hint: hint)
    case .duplicatedKeysInMapping(let duplicates, let context):
      let names = duplicates.sorted().joined(separator: ", ")
      return Problem("\(source):\(context.mark.line)", found: "a name given twice: \(oneLine(names))")
    default:
      return Problem(source, found: "not YAML (\(oneLine("\(error)")))", hint: hint)
    }
  }

  func origin(_ node: Node, _ key: String) -> String {
    let place = node.mark.map { "\(source):\($0.line)" } ?? source
    return key.isEmpty ? place : "\(place): \(oneLine(key))"
  }

  /// Keys and values of a map; nothing at all is an empty one.
  func map(
    _ node: Node, _ key: String, allowed: [String]? = nil
  ) throws(DataError) -> [(key: String, node: Node)] {
    if let scalar = node.scalar, scalar.style == .plain, ["", "~", "null"].contains(scalar.string) {
      return []
    }
    guard let mapping = node.mapping else {
      throw .badData(Problem(origin(node, key), found: kind(node), expected: "a map of 'name: text' lines"))
    }
    var pairs: [(key: String, node: Node)] = []
    for (name, value) in mapping {
      guard let name = name.scalar?.string else {
        throw .badData(Problem(origin(value, key), found: "\(kind(name)) as a key", expected: "a name"))
      }
      if let allowed, !allowed.contains(name) {
        let near = nearestNames(to: name, among: allowed).joined(separator: ", ")
        throw .badData(
          Problem(origin(value, key), found: "unknown key '\(oneLine(name))'", hint: "Nearest: \(near)."))
      }
      pairs.append((name, value))
    }
    return pairs
  }

  func text(_ node: Node, _ key: String) throws(DataError) -> String {
    guard let scalar = node.scalar else {
      throw .badData(
        Problem(
          origin(node, key), found: kind(node), expected: "a text",
          hint: "Quote texts that start with a brace or bracket."))
    }
    return scalar.string
  }

  func template(_ node: Node, _ key: String) throws(DataError) -> TextTemplate {
    try TextTemplate(try text(node, key), origin: origin(node, key))
  }

  func list(_ node: Node, _ key: String) throws(DataError) -> [String] {
    guard let sequence = node.sequence else {
      throw .badData(Problem(origin(node, key), found: kind(node), expected: "a list [one, two]"))
    }
    var names: [String] = []
    for entry in sequence { names.append(try text(entry, key)) }
    return names
  }

  /// Texts by their codes.
  func codes(_ node: Node, _ key: String) throws(DataError) -> [String: String] {
    var codes: [String: String] = [:]
    for (code, words) in try map(node, key) { codes[code] = try text(words, "\(key): \(code)") }
    return codes
  }

  /// A list of parts, or a map with `parts` and `requires`.
  func family(_ node: Node, _ key: String, parts: [String]) throws(DataError) -> CaptionTemplates.Family {
    var family = CaptionTemplates.Family(parts: [], requires: [])
    if node.sequence != nil {
      family.parts = try list(node, key)
    } else {
      for (name, value) in try map(node, key, allowed: ["parts", "requires"]) {
        if name == "parts" {
          family.parts = try list(value, "\(key): parts")
        } else {
          family.requires = try list(value, "\(key): requires")
        }
      }
    }
    for part in family.parts where !parts.contains(part) {
      let near = nearestNames(to: part, among: parts).joined(separator: ", ")
      throw .badData(
        Problem(
          origin(node, key), found: "no part '\(oneLine(part))'",
          hint: parts.isEmpty ? "Add it under 'parts'." : "Nearest: \(near)."))
    }
    return family
  }

  func cleaning(_ node: Node) throws(DataError) -> CaptionTemplates.Cleaning {
    let written = try text(node, "clean")
    guard let cleaning = CaptionTemplates.Cleaning(rawValue: written) else {
      throw .badData(
        Problem(origin(node, "clean"), found: "'\(oneLine(written))'", expected: "words, text or none"))
    }
    return cleaning
  }

  func kind(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): "the text '\(oneLine(scalar.string))'"
    case .mapping: "a map"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}
