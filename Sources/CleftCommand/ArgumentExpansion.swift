import ArgumentParser
import CleftFormats
import CleftTraining
import Foundation

/// What happens to the command line before it is parsed: hyphens become underscores, the beginning of an option's name
/// becomes the name, `--config FILE` becomes options.
///
/// A file's options come first, so those typed win; of two values the later one counts, and `--flag=false` takes back a
/// flag that stands before it.
struct ArgumentExpansion {
  let declared: [DeclaredOption]
  private let takesValue: [String: Bool]
  /// Whether the beginning of a name is enough, as in Python.
  private let takesBeginnings: Bool

  private var typed: [String] = []
  private var files: [ConfigFile] = []
  /// Arguments without a name, and the model to evaluate: where the run to score may be.
  private(set) var places: [String] = []
  let command: any ParsableCommand.Type

  static func expand(_ arguments: [String]) throws -> [String] {
    guard let word = arguments.first, !word.hasPrefix("-") else { return arguments }
    if word == "help" {
      return try arguments.count > 1 && !arguments[1].hasPrefix("-")
        ? [word, Self.command(arguments[1])._commandName] + arguments.dropFirst(2) : arguments
    }
    let route = try Self.route(arguments)
    var expansion = ArgumentExpansion(route.command)
    try expansion.read(route.rest)
    for file in expansion.files {
      for name in file.unset {
        FileHandle.standardError.write(
          Data("warning: \(file.path): \(name): nothing behind it, so it is as if it were not there.\n".utf8))
      }
    }
    return try route.words + expansion.result()
  }

  /// The command that the first words name, whose options follow: a command's subcommand where there is one.
  ///
  /// - Throws: `CommandLineError.unknown` for a first word that is no command, or a second one that is no subcommand of
  ///   a command that has some.
  private static func route(
    _ arguments: [String]
  ) throws(CommandLineError) -> (words: [String], command: any ParsableCommand.Type, rest: [String]) {
    let command = try Self.command(arguments.first ?? "")
    let rest = Array(arguments.dropFirst())
    let (subcommands, word) = (
      command.configuration.subcommands, rest.first?.replacing("_", with: "-")
    )
    if let own = subcommands.first(where: { $0._commandName == word }) {
      return ([command._commandName, own._commandName], own, Array(rest.dropFirst()))
    }
    if let word, !word.hasPrefix("-"), let rest = rest.first, !subcommands.isEmpty {
      let near = nearestNames(to: word, among: subcommands.map { $0._commandName })
      throw .unknown(
        Problem(
          "\(command._commandName) \(rest)", found: "no such command",
          hint:
            "Nearest: \(near.joined(separator: ", ")). 'cleft \(command._commandName) --help' lists them all."
        ))
    }
    return ([command._commandName], command.configuration.defaultSubcommand ?? command, rest)
  }

  /// The file and option whose value the parser has refused; nil where it was typed, or no value alone is to blame.
  ///
  /// - Parameters:
  ///   - message: what the parser says.
  ///   - arguments: the command line as it was typed.
  static func placeOfRefusal(_ message: String, _ arguments: [String]) -> String? {
    guard let route = try? Self.route(arguments) else { return nil }
    var expansion = ArgumentExpansion(route.command)
    guard (try? expansion.read(route.rest)) != nil else { return nil }
    var files = expansion.files
    if let file = try? expansion.fileOfRun() { files.insert(file, at: 0) }
    for file in files.reversed() {
      // The parser names the option that it refuses; each that it may be is tried alone.
      for entry in file.entries.reversed() where message.contains("--\(entry.name)") {
        do { _ = try Cleft.parseAsRoot(route.words + entry.arguments) } catch {
          if Cleft.message(for: error) == message { return "\(file.path): \(entry.name)" }
        }
      }
    }
    return nil
  }

  /// The command of a name, underscores for hyphens too.
  ///
  /// - Throws: `CommandLineError.unknown` with the nearest ones.
  static func command(_ word: String) throws(CommandLineError) -> any ParsableCommand.Type {
    let name = word.replacing("_", with: "-")
    if let command = CommandCatalog.all.first(where: { $0._commandName == name }) { return command }
    let near = nearestNames(to: name, among: CommandCatalog.all.map { $0._commandName })
    throw .unknown(
      Problem(
        word, found: "no such command",
        hint: "Nearest: \(near.joined(separator: ", ")). 'cleft help' lists them all."))
  }

  private init(_ command: any ParsableCommand.Type) {
    declared = declaredOptions(command)
    takesValue = Dictionary(declared.map { ($0.name, $0.takesValue) }, uniquingKeysWith: { $1 })
    self.command = command
    takesBeginnings = command == EvalCommand.self || command == TrainCommand.self
  }

  /// Takes the arguments behind the command.
  private mutating func read(_ arguments: [String]) throws {
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if argument == "--" {
        typed += arguments[(index - 1)...]
        return
      }
      guard argument.hasPrefix("--"), !Self.isBuiltIn(argument) else {
        if !argument.hasPrefix("-") { places.append(argument) }
        typed.append(argument)
        continue
      }
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = try fullName(String(parts[0]).replacing("-", with: "_"))
      var value = parts.count == 2 ? String(parts[1]) : nil
      if value == nil, takesValue[name] == true || name == "config", index < arguments.count,
        Self.isValue(arguments[index])
      {
        value = arguments[index]
        index += 1
      }
      try take(name, value)
    }
  }

  private mutating func take(_ name: String, _ value: String?) throws {
    if name == "config" {
      guard let value, !value.isEmpty else {
        throw TrainingError.missing(Problem("--config", found: "no value", expected: "a YAML file"))
      }
      let path = (value as NSString).expandingTildeInPath
      files.append(try ConfigFile(path, declared))
      return
    }
    if name == "pretrained_model", let value { places.append(value) }
    if takesValue[name] == false, let value {
      guard let isOn = ConfigFile.truth(value) else {
        throw CommandLineError.badValue(
          Problem("--\(name)", found: "'\(value)'", expected: "no value, true or false"))
      }
      typed += ConfigFile.Entry(name: name, value: isOn ? nil : "false").arguments
      return
    }
    typed += ConfigFile.Entry(name: name, value: value).arguments
  }

  /// The whole command line behind the command.
  private func result() throws -> [String] {
    var all = try optionsOfRun() + given
    // A flag that is taken back is as if it had not been there.
    while let last = all.lastIndex(where: { isTakenBack($0) }) {
      let flag = String(all[last].dropLast("=false".count))
      all = all.indices.filter { $0 != last && ($0 > last || all[$0] != flag) }.map { all[$0] }
    }
    return all
  }

  /// What the command line says, its files first.
  var given: [String] { files.flatMap(\.entries).flatMap(\.arguments) + typed }

  /// Whether an argument takes back a flag.
  func isTakenBack(_ argument: String) -> Bool {
    argument.hasPrefix("--") && argument.hasSuffix("=false")
      && takesValue[String(argument.dropFirst(2).dropLast("=false".count))] == false
  }

  /// The option that a name or the beginning of one means; a name that means none is left to the parser.
  ///
  /// - Throws: `CommandLineError.ambiguous` with the options that begin so.
  private func fullName(_ name: String) throws(CommandLineError) -> String {
    guard takesBeginnings, takesValue[name] == nil, !name.isEmpty else { return name }
    let candidates = declared.map(\.name).filter { $0.hasPrefix(name) }
    if candidates.count <= 1 { return candidates.first ?? name }
    let published = candidates.filter(PublishedFlags.names.contains)
    if published.count == 1 { return published[0] }
    throw .ambiguous(
      Problem(
        "--\(name)", found: "the beginning of several options",
        expected: candidates.sorted().map { "--\($0)" }.joined(separator: " or ")))
  }

  /// The parser's own options, whose names have hyphens.
  private static func isBuiltIn(_ argument: String) -> Bool {
    ["--help-hidden", "--generate-completion-script", "--experimental-dump-help"].contains {
      argument == $0 || argument.hasPrefix($0 + "=")
    }
  }

  /// Whether an argument can be an option's value: no option itself, unless it is a number below zero.
  private static func isValue(_ argument: String) -> Bool {
    guard argument.hasPrefix("-"), argument != "-" else { return true }
    return argument.dropFirst().first.map { $0.isNumber || $0 == "." } == true && Double(argument) != nil
  }
}
