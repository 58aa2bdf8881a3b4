import ArgumentParser

/// `cleft predict`: probabilities of pictures.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Tell by a trained model what picture files show, with probabilities.",
    discussion: """
      cleft predict scan.dcm --pretrained_model RUN --prompts "no finding; pneumonia". A pair of towers answers to any \
      texts; without --prompts it is asked for the classes of the dataset that it was trained on, or of the one that \
      --dataset, --rsna or --embed names. A classifier answers for its own classes. Texts are compared by a softmax; with \
      --multi_label each is held against its opposite. Pictures are read as in the run.
      """)

  @Argument(help: "Pictures (PNG, JPEG or DICOM), and folders, in which all pictures are taken.")
  var images: [String] = []

  @OptionGroup(title: "Prediction") var asked: PredictOptions
  @OptionGroup(title: "Model in use") var use: UseOptions
  @OptionGroup var data: DataOptions

  mutating func validate() throws {
    if images.isEmpty { throw ValidationError("No picture is named; expected files or folders of pictures.") }
  }

  func run() throws { try PredictRun(images: images, asked: asked, use: use, data: data)() }
}
