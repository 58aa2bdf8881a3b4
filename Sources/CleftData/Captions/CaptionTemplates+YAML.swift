import Yams

extension CaptionTemplates {
  private static let sections = ["parts", "captions", "prompts", "words", "clean"]

  /// Reads the text of a YAML file.
  ///
  /// - Parameter source: how messages call the file.
  /// - Throws: `DataError.badData` with line and key.
  init(yaml: String, source: String) throws(DataError) {
    let reader = YAMLReader(source: source)
    let sections = try reader.sections(yaml, allowed: Self.sections)
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
    var prompts: [PromptTemplate] = []
    for (key, node) in try section("prompts") { prompts.append(try reader.prompt(key, node)) }
    var words: [String: [String: String]] = [:]
    for (table, node) in try section("words") { words[table] = try reader.codes(node, "words: \(table)") }
    let clean = sections.first { $0.key == "clean" }?.node
    self.source = source
    self.parts = parts
    self.captions = captions
    self.prompts = prompts
    self.words = words
    cleaning = try clean.map { node throws(DataError) in try reader.cleaning(node) } ?? .words
  }
}
