import CleftFormats
import Foundation

/// Where the prompt sets of a request are written: among the caption texts, or in a file of their own (`--prompts`).
struct PromptTexts {
  /// The texts; those of a file of its own with its words in front of the dataset's.
  let templates: CaptionTemplates
  /// Whether they are a file's of its own, all of whose sets are meant, in its order.
  let isOwnFile: Bool
  /// Classes that such a file has words for.
  private let classWords: [String]
  private let asksEachClass: Bool
  private let isPromptTuning: Bool
  private let isTest: Bool

  /// Finds the texts of a request.
  ///
  /// - Throws: `DataError.missing` or `.badData` for a file of prompts that is not there or does not fit its format.
  init(_ request: DatasetRequest, _ templates: CaptionTemplates) throws(DataError) {
    var (own, classWords) = (templates, [String]())
    if let file = request.promptFile { (own, classWords) = try templates.withPrompts(ofFile: file) }
    (self.templates, self.classWords) = (own, classWords)
    isOwnFile = request.promptFile != nil
    asksEachClass = request.asksEachClass
    isPromptTuning = request.isPromptTuning
    isTest = request.split == .test
  }

  /// A class that prompts call by its name, or by what `words: classes` says in its place.
  func named(_ className: String) -> PromptClass {
    PromptClass(name: className, values: ["CLASS": templates.words(of: className)])
  }

  /// Sets that ask what the request asks: with texts against each class, or without.
  private var fitting: [PromptTemplate] {
    templates.prompts.filter { $0.hasNegatives == asksEachClass }
  }

  /// Their names, sorted.
  var fittingNames: [String] { fitting.map(\.name).sorted() }

  /// The sets of the request: the one meant first, then the others of the file for comparison.
  ///
  /// Prompts of prompt tuning stand behind trained vectors, and the others do not: they are never mixed. Where each class
  /// is asked, the one meant is `findings`.
  /// - Parameters:
  ///   - first: the one meant where classes are compared with each other.
  ///   - known: names of the classes that the dataset can have.
  func sets(first: String, classes: [PromptClass], known: [String]) throws(DataError) -> [PromptSet] {
    if isOwnFile { return try fileSets(classes, known: known) }
    let first = asksEachClass ? "findings" : first
    let tuning = asksEachClass ? "findings_prompt_ft" : "prompt_ft"
    if isPromptTuning { return [try set(tuning, as: first, classes, known: known)] }
    let others = fittingNames.filter { $0 != first && $0 != tuning }
    // A file of the user's own may call its pairs otherwise.
    let names = asksEachClass && !fittingNames.contains(first) && !others.isEmpty ? others : [first] + others
    var sets: [PromptSet] = []
    for name in names { sets.append(try set(name, as: name, classes, known: known)) }
    return sets
  }

  /// A set by its name.
  ///
  /// - Throws: `DataError.badRequest` with the nearest names if there is none, or none of the kind that is asked for.
  func set(
    _ name: String, as shown: String, _ classes: [PromptClass], known: [String]
  ) throws(DataError) -> PromptSet {
    if let template = fitting.first(where: { $0.name == name }) {
      return try template.set(as: shown, classes, known: known)
    }
    if let other = templates.prompts.first(where: { $0.name == name }) { throw misfit(other.origin) }
    throw asksEachClass && fitting.isEmpty
      ? misfit("\(templates.source): prompts") : templates.unknown("prompts", name, among: fittingNames)
  }

  /// The sets of a file of its own that ask what the request asks, in its order.
  ///
  /// - Throws: `DataError.badData` if there is none, or a text stands for two classes.
  func fileSets(_ classes: [PromptClass], known: [String]) throws(DataError) -> [PromptSet] {
    for name in classWords where !known.contains(name) {
      let near = nearestNames(to: name, among: known).map { oneLine($0) }.joined(separator: ", ")
      throw .badData(
        Problem(
          "\(templates.source): words: classes", found: "no class '\(oneLine(name))'",
          hint: "Nearest: \(near)."))
    }
    var sets: [PromptSet] = []
    for template in fitting {
      let set = try template.set(as: template.name, classes, known: known)
      try requireDistinct(set, classes.map(\.name), template.origin)
      sets.append(set)
    }
    guard !sets.isEmpty else { throw misfit("\(templates.source): prompts") }
    return sets
  }

  /// What a run says about test prompts: sets of a file of its own that ask something else.
  var notes: [String] {
    let others = isOwnFile && isTest ? templates.prompts.filter { $0.hasNegatives != asksEachClass } : []
    if others.isEmpty { return [] }
    let names = others.map { "'\(oneLine($0.name))'" }.joined(separator: ", ")
    return [
      "\(templates.source): not scored: \(names), "
        + (asksEachClass
          ? "without a negative (--multi_label asks of each class by itself)"
          : "with a negative (for --multi_label)")
    ]
  }

  /// Why there is nothing to ask with.
  private func misfit(_ place: String) -> DataError {
    .badData(
      asksEachClass
        ? Problem(
          place, found: "no texts against the classes",
          expected: "{positive: …, negative: …}, since --multi_label asks of each class by itself",
          hint: "'cleft captions chexpert' shows a pair, under findings.")
        : Problem(
          place, found: templates.prompts.isEmpty ? "no prompts" : "texts for and against each class",
          expected: "a text or a list of texts for each class",
          hint: templates.prompts.isEmpty
            ? "Add a line 'name: text'." : "Pass --multi_label to ask of each class."))
  }

  /// Fails if a text stands for two classes, or for and against one: pictures could not be told apart by it.
  private func requireDistinct(
    _ set: PromptSet, _ names: [String], _ origin: String
  ) throws(DataError) {
    var owners: [String: String] = [:]
    for (index, name) in names.enumerated() {
      let name = oneLine(name)
      for text in set.texts[index] {
        guard let other = owners.updateValue(name, forKey: text) else { continue }
        throw .badData(
          Problem(
            origin,
            found:
              "'\(oneLine(text))' \(other == name ? "twice for '\(name)'" : "for both '\(other)' and '\(name)'")",
            expected: "texts of its own for each class", hint: "Name the class in them with {CLASS}."))
      }
      let against = set.negatives?[index] ?? []
      let both = set.texts[index].first(where: against.contains)
      let repeated = against.indices.first { against[..<$0].contains(against[$0]) }.map { against[$0] }
      if let text = both ?? repeated {
        throw .badData(
          Problem(
            origin, found: "'\(oneLine(text))' \(both == nil ? "twice" : "both for and") against '\(name)'",
            expected: "each text once"))
      }
    }
  }
}

extension CaptionTemplates {
  private static let promptSections = ["prompts", "words"]

  /// These texts with the prompts of a file in place of theirs and its words in front of theirs, and the classes that it
  /// has words for.
  ///
  /// - Throws: `DataError` with file, line and key.
  fileprivate func withPrompts(
    ofFile file: String
  ) throws(DataError) -> (templates: CaptionTemplates, classWords: [String]) {
    let path = (file as NSString).expandingTildeInPath
    let reader = YAMLReader(source: path)
    var (copy, classWords) = (self, [String]())
    (copy.source, copy.prompts) = (path, [])
    for (section, node) in try reader.sections(Self.text(ofFile: path), allowed: Self.promptSections) {
      if section == "prompts" {
        for (name, node) in try reader.map(node, section) {
          copy.prompts.append(try reader.prompt(name, node))
        }
        continue
      }
      for (table, node) in try reader.map(node, section, allowed: Set(words.keys).union(["classes"]).sorted())
      {
        let codes = try reader.codes(node, "words: \(table)")
        if table == "classes" { classWords = codes.keys.sorted() }
        copy.words[table, default: [:]].merge(codes) { $1 }
      }
    }
    return (copy, classWords)
  }
}
