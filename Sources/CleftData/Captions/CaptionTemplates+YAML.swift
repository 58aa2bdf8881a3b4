import CleftFormats
import Yams

extension CaptionTemplates {
  private static let sections = ["parts", "captions", "prompts", "words", "clean"]

  /// Reads the text of a YAML file.
  ///
  /// - Parameter source: how messages call the file.
  /// - Throws: `DataError.badData` with line and key.
  init(yaml: String, source: String) throws(DataError) {
    let root: Node?
    do { root = try Yams.compose(yaml: yaml) } catch {
      throw .badData(Self.problem(error, source))
    }
    let reader = YAMLReader(source: source)
    let sections = try reader.map(root ?? Node([(Node, Node)]()), "", allowed: Self.sections)
    func section(_ name: String) throws(DataError) -> [(key: String, node: Node)] {
      guard let node = sections.first(where: { $0.key == name })?.node else { return [] }
      return try reader.map(node, name)
    }
    var parts: [String: TextTemplate] = [:]
    for (key, node) in try section("parts") { parts[key] = try reader.template(node, "parts: \(key)") }
    var captions: [String: Family] = [:]
    for (key, node) in try section("captions") {
      captions[key] = try reader.family(node, "captions: \(key)", parts: parts.keys.sorted())
    }
    var prompts: [String: TextTemplate] = [:]
    for (key, node) in try section("prompts") { prompts[key] = try reader.template(node, "prompts: \(key)") }
    var words: [String: [String: String]] = [:]
    for (table, node) in try section("words") {
      var codes: [String: String] = [:]
      for (code, text) in try reader.map(node, "words: \(table)") {
        codes[code] = try reader.text(text, "words: \(table): \(code)")
      }
      words[table] = codes
    }
    let clean = sections.first { $0.key == "clean" }?.node
    self.source = source
    self.parts = parts
    self.captions = captions
    self.prompts = prompts
    self.words = words
    cleaning = try clean.map { node throws(DataError) in try reader.cleaning(node) } ?? .words
  }
}

extension CaptionTemplates {
  /// What the YAML reader stumbled over, and on which line.
  fileprivate static func problem(_ error: any Error, _ source: String) -> Problem {
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
}

/// Takes YAML nodes apart, naming line and key of what does not fit.
private struct YAMLReader {
  let source: String

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

  private func kind(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): "the text '\(oneLine(scalar.string))'"
    case .mapping: "a map"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }
}
