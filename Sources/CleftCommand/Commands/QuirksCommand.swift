import ArgumentParser
import CleftData
import CleftFormats

/// `cleft quirks`: what the published program does that one would not expect, and what happens here.
struct QuirksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quirks",
    abstract: "List the published program's quirks: what each is, when it is in force, and how to switch it.",
    discussion: """
      'fixed' and 'reference' say whether it is in force under --compat fixed and --compat reference; --quirk NAME=on \
      or NAME=off switches it. A quirk marked '-' is never reproduced, since it ends the published program or changes no \
      number on purpose.
      """)

  @Argument(help: "Names or numbers of some quirks; default: all.") var names: [String] = []
  @Flag(help: "Print them as one JSON object.") var json = false

  mutating func validate() throws {
    for name in names where Quirk(name: name) == nil {
      do { _ = try Quirks(isReference: false, changes: ["\(name)=off"]) } catch {
        throw ValidationError(error.description)
      }
    }
  }

  func run() throws {
    let chosen = Set(names.compactMap(Quirk.init(name:)))
    let entries = QuirkCatalog.all.filter { chosen.isEmpty || chosen.contains($0.quirk) }
    print(json ? jsonText(entries.map(Row.init), pretty: true) : Self.text(entries))
  }

  /// One quirk in JSON.
  private struct Row: Encodable {
    let number: Int?
    let name, kind, summary, instead: String
    let fixed, reference: Bool
    let option: String?

    init(_ entry: QuirkCatalog.Entry) {
      (number, name, kind) = (entry.number, entry.quirk.rawValue, entry.kind.rawValue)
      (summary, instead, option) = (entry.summary, entry.instead, entry.option)
      (fixed, reference) = (entry.kind.isOnInFixed, entry.kind.isOnInReference)
    }
  }

  /// A table with two lines a quirk: what it is, and what happens without it.
  private static func text(_ entries: [QuirkCatalog.Entry]) -> String {
    let width = (entries.map(\.quirk.rawValue.count).max() ?? 0) + 2
    func cell(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(1, width - text.count))
    }
    let head = cell("", 5) + cell("name", width) + cell("fixed", 7) + cell("reference", 11) + "what it is"
    let rows = entries.flatMap { entry -> [String] in
      let kind = entry.kind
      let states = [kind.isOnInFixed, kind.isOnInReference].map { isOn in
        kind.canBeOn ? isOn ? "on" : "off" : "-"
      }
      let front =
        cell(entry.number.map { "Q\($0)" } ?? "", 5) + cell(entry.quirk.rawValue, width) + cell(states[0], 7)
        + cell(states[1], 11)
      let option = entry.option.map { " [\($0)]" } ?? ""
      return [
        front + entry.summary,
        String(repeating: " ", count: front.count) + "without it: \(entry.instead)\(option)",
      ]
    }
    return ([head] + rows).joined(separator: "\n")
  }
}
