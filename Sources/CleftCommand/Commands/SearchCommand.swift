import ArgumentParser

/// `cleft search`: what in a folder of embeddings is nearest to a text or a picture.
struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Find the pictures or texts of 'cleft embed' that are nearest to a text or a picture.",
    discussion: """
      The model is the one that made the embeddings, read in the same way; --pretrained_model says where it is now. \
      Similarity is the cosine of the angle between two vectors.
      """)

  @Argument(help: "Folder that 'cleft embed' wrote.")
  var folder: String

  @OptionGroup(title: "Search") var asked: SearchOptions

  func run() throws { try SearchRun(folder: folder, asked: asked)() }
}
