import Foundation
import Testing

/// The help pages of `cleft train` and `cleft eval`.
@Suite struct HelpTests {
  /// The page as the parser dumps it.
  private struct Page: Decodable {
    struct Command: Decodable {
      let arguments: [Argument]
    }
    struct Argument: Decodable {
      let kind: String
      let abstract: String?
      let defaultValue: String?
      let allValues: [String]?
      let sectionTitle: String?
      let preferredName: Name?
      let valueName: String?

      var name: String { preferredName?.name ?? valueName ?? "" }
    }
    struct Name: Decodable { let name: String }
    let command: Command
  }

  private static let groups = [
    "Model", "Start weights", "Trained parts", "Adapters", "Prompt tuning", "Data", "Captions", "EMBED",
    "Manifest", "Pictures", "Loss", "Optimizer", "Run", "Evaluation", "Checkpoints", "Limits and guards",
    "Log",
    "Without effect",
  ]

  private func page(_ command: String) throws -> [Page.Argument] {
    let result = try Tool.run([command, "--experimental-dump-help"])
    return try JSONDecoder().decode(Page.self, from: Data(result.output.utf8)).command.arguments
  }

  @Test(arguments: ["train", "eval"])
  func everyOptionSaysWhatItIsWithItsDefault(_ command: String) throws {
    let options = try page(command).filter { $0.kind != "positional" }
    #expect(options.count > 140)
    for option in options {
      let text = option.abstract ?? ""
      #expect(text.count > 12 && text.hasSuffix("."), "\(option.name): '\(text)'")
      if option.kind == "option" {
        #expect(
          option.defaultValue != nil || text.contains("efault"), "\(option.name) tells no default: '\(text)'")
      }
      let shown = text + (option.defaultValue.map { " (default: \($0))" } ?? "")
      #expect(shown.count <= 200, "\(option.name): \(shown.count) characters")
    }
    // Numbers have a unit or a kind instead of the option's own name.
    for option in options where option.kind == "option" {
      #expect(option.valueName != option.name || option.name.count < 9, "--\(option.name) <\(option.name)>")
    }
  }

  @Test(arguments: ["train", "eval"])
  func optionsStandInTheirGroups(_ command: String) throws {
    let options = try page(command).filter { $0.kind != "positional" }
    var groups: [String] = []
    for option in options where !["help", "version", "h"].contains(option.name) {
      let group = try #require(option.sectionTitle, "\(option.name)")
      if groups.last != group { groups.append(group) }
    }
    #expect(groups == Self.groups)
    let text = try Tool.run([command, "--help"]).output
    var rest = text[...]
    for group in Self.groups {
      let heading = try #require(rest.firstRange(of: "\n\(group.uppercased()):\n"), "\(group)")
      rest = rest[heading.upperBound...]
    }
  }

  @Test func everyPublishedFlagIsOnThePage() throws {
    let options = try page("train")
    for flag in PublishedFlag.all {
      let option = try #require(options.first { $0.name == flag.name }, "\(flag.name)")
      #expect(option.kind == (flag.value == nil ? "flag" : "option"))
    }
  }

  @Test func helpIsTheSameInEveryForm() throws {
    let page = try Tool.run(["train", "--help"])
    #expect(page.status == 0 && page.errors.isEmpty)
    for arguments in [["train", "-h"], ["help", "train"], ["train", "--sgd", "--help"]] {
      let other = try Tool.run(arguments)
      #expect(other.status == 0 && other.output == page.output, "\(arguments)")
    }
  }
}
