import ArgumentParser
import CleftData

/// `cleft captions`: the shipped caption and prompt texts, to be changed.
struct CaptionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "captions",
    abstract: "Print the caption and prompt texts of a dataset, to edit and pass back with --captions.",
    discussion: "For example: cleft captions manifest > mine.yaml. The first lines explain the format.")

  @Argument(help: "\(DatasetCatalog.all.map(\.name).joined(separator: ", ")).") var dataset: String

  func run() throws { print(try CaptionTemplates.shippedText(dataset), terminator: "") }
}
