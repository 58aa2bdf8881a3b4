import CleftFormats
import Foundation

/// Caption and prompt texts of one dataset, from YAML.
///
/// A caption family is a list of parts, each a text with gaps; a prompt set is one text with gaps or several, for a class
/// and perhaps against it; a word table turns the codes of a dataset into words. The shipped files (`chexpert.yaml`, `rsna.yaml`, `embed.yaml`, `manifest.yaml`) hold
/// the published texts and explain the format in their first lines.
public struct CaptionTemplates: Sendable, Equatable {
  /// A caption: parts in order, and the values without which there is none.
  struct Family: Sendable, Equatable {
    var parts: [String]
    var requires: [String]
  }

  /// File, or name of the shipped one, for messages.
  var source: String
  let parts: [String: TextTemplate]
  let captions: [String: Family]
  /// Prompt sets in the order of the file.
  var prompts: [PromptTemplate]
  var words: [String: [String: String]]
  /// What captions are made into before they are tokenized.
  public let cleaning: Cleaning

  /// What a caption is made into; the values are those of the key `clean`.
  public enum Cleaning: String, Sendable, CaseIterable {
    /// Sentences of lowercase ASCII words without punctuation, as published (`Captions.sentences`).
    case words
    /// Lowercase as prompts are, runs of white space one space; every letter, number and sign stays.
    case text
    /// As written, but for white space at the ends.
    case none
  }

  /// Reads a YAML file of a user's own.
  ///
  /// - Throws: `DataError.missing` without the file, `.badData` with file, line and key otherwise.
  public init(file: String) throws(DataError) {
    try self.init(yaml: Self.text(ofFile: file), source: file)
  }

  /// The text of a YAML file.
  static func text(ofFile file: String) throws(DataError) -> String {
    let data: Data
    do { data = try FileSystem.read(file) } catch {
      if case .missing(let problem) = error { throw .missing(problem) }
      throw .badData(error.problem)
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw .badData(Problem(file, found: "bytes that are not UTF-8", expected: "a YAML file"))
    }
    return text
  }

  /// The texts shipped with the program for a dataset of the catalogue.
  ///
  /// - Throws: `DataError.badRequest` for any other name.
  public static func shipped(_ dataset: String) throws(DataError) -> CaptionTemplates {
    try CaptionTemplates(yaml: shippedText(dataset), source: "\(dataset).yaml")
  }

  /// The shipped file itself, to be copied and changed.
  ///
  /// - Throws: `DataError.badRequest` for the name of no dataset.
  public static func shippedText(_ dataset: String) throws(DataError) -> String {
    guard let entry = DatasetCatalog.named(dataset) else {
      let names = DatasetCatalog.all.map(\.name).joined(separator: ", ")
      throw .badRequest(Problem("captions", found: "no texts for '\(dataset)'", expected: names))
    }
    return String(decoding: entry.captions, as: UTF8.self)
  }

  /// The `captionFile` of a request if it names one, otherwise the shipped texts of the dataset.
  public static func forRequest(
    _ request: DatasetRequest, dataset: String
  ) throws(DataError) -> CaptionTemplates {
    guard let file = request.captionFile else { return try shipped(dataset) }
    return try CaptionTemplates(file: (file as NSString).expandingTildeInPath)
  }

  /// The raw text of a caption: its parts joined without separators.
  ///
  /// A part is left out when one of its values is unknown and nothing is said to stand in its place.
  /// - Parameter values: an unknown value is absent; an empty one is known.
  /// - Returns: nil when a value that the family requires is unknown.
  /// - Throws: `DataError.badRequest` with the nearest names if there is no such family.
  public func caption(_ family: String, _ values: [String: String]) throws(DataError) -> String? {
    let chosen = try self.family(family)
    guard chosen.requires.allSatisfy({ values[$0] != nil }) else { return nil }
    return chosen.parts.compactMap { parts[$0]?.filled(values) }.joined()
  }

  /// The text of a prompt for one class, lowercased, otherwise as written.
  ///
  /// - Throws: `DataError.badRequest` if there is no such prompt, it has several texts, or it asks for a value that is not
  ///   given.
  public func prompt(_ name: String, _ values: [String: String]) throws(DataError) -> String {
    guard let template = prompts.first(where: { $0.name == name }) else {
      throw unknown("prompts", name, among: promptNames)
    }
    guard template.isSingleText, let text = template.general.positive.first else {
      throw .badRequest(
        Problem(template.origin, found: "several texts", expected: "one text for all classes"))
    }
    return try text.prompt(values)
  }

  /// A raw caption as it is trained with.
  ///
  /// - Returns: the text as `cleaning` says; nil when nothing is left.
  public func cleaned(_ raw: String) -> String? {
    let text =
      switch cleaning {
      case .words: Captions.sentences(raw).joined(separator: " ")
      case .text: raw.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
      case .none: raw.trimmingCharacters(in: .whitespacesAndNewlines)
      }
    return text.isEmpty ? nil : text
  }

  /// The words of a code; nil if the table or the code is not there.
  public func word(_ table: String, _ code: String) -> String? { words[table]?[code] }

  /// Names of the caption families, sorted.
  public var families: [String] { captions.keys.sorted() }

  /// Names of the prompts, sorted.
  public var promptNames: [String] { prompts.map(\.name).sorted() }

  /// Names of the values that a caption family asks for or requires.
  public func valueNames(ofFamily name: String) throws(DataError) -> Set<String> {
    let family = try family(name)
    return Set(family.requires + family.parts.flatMap { parts[$0]?.names ?? [] })
  }

  /// Checks that texts ask only for values that the dataset has.
  ///
  /// Without it a misspelled value would read as one that is unknown in every row.
  /// - Throws: `DataError.badData` naming the text and the nearest values.
  public func requireValues(among known: [String], ofFamilies families: [String]) throws(DataError) {
    for name in families {
      let family = try family(name)
      for (text, origin) in family.parts.flatMap({ part in
        (parts[part]?.names ?? []).map { ($0, parts[part]?.origin ?? source) }
      }) + family.requires.map({ ($0, "\(source): captions: \(name): requires") }) where !known.contains(text)
      {
        throw .badData(
          Problem(
            origin, found: "no value {\(text)}",
            hint: "Nearest: \(nearestNames(to: text, among: known).joined(separator: ", "))."))
      }
    }
  }

  private func family(_ name: String) throws(DataError) -> Family {
    guard let family = captions[name] else { throw unknown("captions", name, among: families) }
    return family
  }

  func unknown(_ section: String, _ name: String, among names: [String]) -> DataError {
    let near = nearestNames(to: name, among: names).joined(separator: ", ")
    return .badRequest(
      Problem(
        "\(source): \(section)", found: "no '\(name)'",
        hint: names.isEmpty ? "Add it." : "Nearest: \(near)."))
  }
}
