import CleftFormats

/// A class as prompts speak of it.
struct PromptClass {
  /// Its name, by which a prompt set may give it texts of its own.
  var name: String
  /// What the gaps of texts are filled with.
  var values: [String: String]
}

/// A prompt set as it is written: texts with gaps for the class, and in their place texts of single classes.
struct PromptTemplate: Sendable, Equatable {
  /// Texts for a class and against it; none where nothing is said.
  struct Texts: Sendable, Equatable {
    var positive: [TextTemplate] = []
    var negative: [TextTemplate] = []
  }

  /// Texts of one class.
  struct Own: Sendable, Equatable {
    let name: String
    let texts: Texts
  }

  /// Name of the set.
  let name: String
  /// File, line and key, for messages.
  let origin: String
  /// Texts of every class that has none of its own.
  let general: Texts
  /// Texts of single classes, in the order of the file.
  let classes: [Own]

  init(name: String, origin: String, general: Texts, classes: [(name: String, texts: Texts)]) {
    self.name = name
    self.origin = origin
    self.general = general
    self.classes = classes.map { Own(name: $0.name, texts: $0.texts) }
  }

  /// Whether each class is a question of its own, with texts against it.
  var hasNegatives: Bool {
    !general.negative.isEmpty || classes.contains { !$0.texts.negative.isEmpty }
  }

  /// Whether every class has one text and none against it, and it is the same text for all.
  var isSingleText: Bool { !hasNegatives && classes.isEmpty && general.positive.count == 1 }

  /// The set for some classes.
  ///
  /// - Parameters:
  ///   - shown: name of the set in tables.
  ///   - known: names of the classes that the dataset can have.
  /// - Throws: `DataError.badData` for a class without texts, for one that there is not, and for a value that is not
  ///   given.
  func set(
    as shown: String, _ classes: [PromptClass], known: [String]
  ) throws(DataError) -> PromptSet {
    for own in self.classes where !known.contains(own.name) {
      let near = nearestNames(to: own.name, among: known).map { oneLine($0) }.joined(separator: ", ")
      throw .badData(
        Problem(
          "\(origin): classes", found: "no class '\(oneLine(own.name))'", hint: "Nearest: \(near)."))
    }
    var (positive, negative): ([[String]], [[String]]) = ([], [])
    for wanted in classes {
      positive.append(try texts(of: wanted, \.positive, "for"))
      if hasNegatives { negative.append(try texts(of: wanted, \.negative, "against")) }
    }
    return PromptSet(name: shown, texts: positive, negatives: hasNegatives ? negative : nil)
  }

  /// The texts of a class for one side: its own, or the general ones.
  private func texts(
    of wanted: PromptClass, _ side: KeyPath<Texts, [TextTemplate]>, _ word: String
  ) throws(DataError) -> [String] {
    let own = classes.first { $0.name == wanted.name }?.texts[keyPath: side] ?? []
    let templates = own.isEmpty ? general[keyPath: side] : own
    guard !templates.isEmpty else {
      throw .badData(
        Problem(
          origin, found: "no text \(word) class '\(oneLine(wanted.name))'", expected: "one for each class",
          hint: word == "for"
            ? "Name it under classes, or write one for all under positive."
            : "Write one for all under negative, or one of its own under classes."))
    }
    var texts: [String] = []
    for template in templates { texts.append(try template.prompt(wanted.values)) }
    return texts
  }
}

extension TextTemplate {
  /// The text as a prompt: lowercased, otherwise as written.
  ///
  /// - Throws: `DataError.badRequest` if it asks for a value that is not given.
  func prompt(_ values: [String: String]) throws(DataError) -> String {
    if let text = filled(values) { return text.lowercased() }
    let missing = names.first { values[$0] == nil } ?? ""
    throw .badRequest(
      Problem(
        origin, found: "no value {\(missing)} for a prompt",
        expected: "one of \(values.keys.sorted().map { "{\($0)}" }.joined(separator: ", "))",
        hint: "Write {\(missing)|other text} to say what stands there otherwise."))
  }
}
