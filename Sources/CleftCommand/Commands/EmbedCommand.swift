import ArgumentParser

/// `cleft embed`: features of pictures or texts as a matrix.
struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract:
      "Write the features that a trained model makes of pictures or texts, for NumPy and 'cleft search'.",
    discussion: """
      The folder has embeddings.npy (float32, a row each), embeddings.csv (path or text of each row, with labels and \
      patient where a dataset says them) and embeddings.json (model, settings). It is written whole or not at all. \
      With --split pictures are those of the dataset that the run was trained on, unless --dataset, --rsna or --embed \
      names another.
      """)

  @Argument(help: "Pictures (PNG, JPEG or DICOM), and folders, in which all pictures are taken.")
  var images: [String] = []

  @OptionGroup(title: "Embedding") var asked: EmbedOptions
  @OptionGroup(title: "Model in use") var use: UseOptions
  @OptionGroup var data: DataOptions

  mutating func validate() throws {
    let given = [
      images.isEmpty ? nil : "pictures", asked.split.map { "--split \($0)" },
      asked.texts.map { "--texts \($0)" },
    ].compactMap { $0 }
    if given.count == 1 { return }
    throw ValidationError(
      given.isEmpty
        ? "Nothing is named; expected pictures, folders of them, --split or --texts."
        : "\(given.joined(separator: " and ")) are there together; expected one of them.")
  }

  func run() throws { try EmbedRun(images: images, asked: asked, use: use, data: data)() }
}
