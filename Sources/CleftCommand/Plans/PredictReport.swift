import CleftData
import CleftMetrics
import CleftTraining

/// What `cleft predict` found, as its JSON has it.
struct PredictReport: Encodable {
  /// A class and what stands for it.
  struct Prompt: Encodable {
    /// Name of the class.
    var name: String
    /// Texts as they were encoded; none for a classifier.
    var texts: [String]
    /// Texts against it; nil where classes are compared with each other.
    var negatives: [String]?
  }

  /// One picture.
  struct Image: Encodable {
    var path: String
    /// By the name of the class.
    var probabilities: [String: Double]
    /// Arguments of the softmax or of the sigmoids.
    var logits: [String: Float]
    /// Where the model looks; nil unless it was asked.
    var maps: [PredictMap]?
  }

  var model: ModelUse.Facts
  /// `one_of` (a softmax over the classes) or `each` (a sigmoid for each class).
  var question: PredictionTable.Question
  /// Name of the prompt set; nil for a classifier.
  var promptSet: String?
  var prompts: [Prompt]
  var images: [Image] = []
  /// Pictures that could not be read.
  var skipped: [BadRow] = []

  /// A report without pictures.
  init(_ predictor: Predictor) {
    model = predictor.use.facts
    question = predictor.question
    promptSet = predictor.prompts?.name
    prompts = predictor.classNames.enumerated().map { index, name in
      Prompt(
        name: name, texts: predictor.prompts?.texts[index] ?? [],
        negatives: predictor.prompts?.negatives?[index])
    }
  }

  /// Names of the classes.
  var classNames: [String] { prompts.map(\.name) }

  /// A class and its probability in a picture, the likeliest first; of equal ones the first.
  func ranked(_ image: Image) -> [(name: String, probability: Double)] {
    classNames.map { ($0, image.probabilities[$0] ?? 0) }.enumerated()
      .sorted { ($1.element.1, $0.offset) < ($0.element.1, $1.offset) }.map(\.element)
  }

  /// The columns that `predictions.csv` of an evaluation has of them.
  var csv: (columns: [String], rows: [[String]]) {
    let names = classNames
    let columns = ["path", "question"] + names.map { "p:\($0)" } + names.map { "logit:\($0)" }
    let rows = images.map { image in
      [image.path, question.rawValue] + names.map { "\(image.probabilities[$0] ?? 0)" }
        + names.map { "\(image.logits[$0] ?? 0)" }
    }
    return (columns, rows)
  }
}
