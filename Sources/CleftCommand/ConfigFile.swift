import CleftFormats
import CleftTraining
import Yams

/// A YAML map of long option names, as `--config` reads it and `resolved.yaml` is written.
struct ConfigFile {
  /// One option of the file; the value is nil for a flag.
  struct Entry {
    let name: String
    let value: String?

    /// As it is typed; the parser takes no empty value behind an equals sign.
    var arguments: [String] {
      value == "" ? ["--\(name)", ""] : ["--\(name)" + (value.map { "=\($0)" } ?? "")]
    }
  }

  let path: String
  /// In the order of the file; options without a value there are left out.
  private(set) var entries: [Entry] = []
  /// Options behind which nothing stands, not even `null`.
  private(set) var unset: [String] = []

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - declared: the options that there are.
  ///   - wanted: which of the file's options are read; the others need not exist.
  /// - Throws: `CommandLineError` for a key that is no option, or a value that its option cannot take.
  init(
    _ path: String, _ declared: [DeclaredOption], where wanted: (String) -> Bool = { _ in true }
  ) throws {
    self.path = path
    let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
    let node: Node?
    do { node = try Yams.compose(yaml: text) } catch {
      let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
      throw TrainingError.badConfiguration(Problem(path, found: "not YAML (\(reason))"))
    }
    // A file of comments alone sets nothing.
    guard let node else { return }
    guard let mapping = node.mapping else {
      throw TrainingError.badConfiguration(Problem(path, found: "no map", expected: "option: value lines"))
    }
    let takesValue = Dictionary(declared.map { ($0.name, $0.takesValue) }, uniquingKeysWith: { $1 })
    for (key, value) in mapping {
      let name = (key.string ?? "").replacing("-", with: "_")
      guard wanted(name) else { continue }
      try requireKnown(name, takesValue)
      try add(name, value, takesValue: takesValue[name] ?? true)
    }
  }

  private func requireKnown(_ name: String, _ known: [String: Bool]) throws(CommandLineError) {
    if name == "config" {
      throw .unknown(
        Problem(
          "\(path): config", found: "a file within a file", expected: "options themselves",
          hint: "Give --config twice; of two values the later file's counts."))
    }
    if known[name] != nil { return }
    let near = nearestNames(to: name, among: known.keys.sorted()).joined(separator: ", ")
    throw .unknown(
      Problem("\(path): \(name)", found: "no such option", hint: near.isEmpty ? "" : "Nearest: \(near)."))
  }

  private mutating func add(_ name: String, _ node: Node, takesValue: Bool) throws(CommandLineError) {
    let values: [String]? =
      switch node {
      case .scalar(let scalar): [scalar.string]
      case .sequence(let list): list.allSatisfy { $0.scalar != nil } ? list.compactMap(\.scalar?.string) : nil
      default: nil
      }
    guard let values else {
      throw .badValue(Problem("\(path): \(name)", found: "a nested value", expected: "one value or a list"))
    }
    let value = values.joined(separator: ",")
    let isPlain = node.scalar.map { $0.style == .plain || $0.style == .any } ?? false
    if isPlain, value.isEmpty { unset.append(name) }
    if isPlain, ["", "null", "Null", "NULL", "~"].contains(value) { return }
    if takesValue {
      entries.append(Entry(name: name, value: value))
      return
    }
    guard let isOn = Self.truth(value) else {
      throw .badValue(Problem("\(path): \(name)", found: "'\(value)'", expected: "true or false"))
    }
    entries.append(Entry(name: name, value: isOn ? nil : "false"))
  }

  /// What a flag's value means; nil for another word.
  static func truth(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: nil
    }
  }
}
