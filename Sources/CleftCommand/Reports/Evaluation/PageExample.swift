import Foundation

/// A picture on the page of an evaluation: what is on it, what the model says of it, and where it looked.
struct PageExample: Codable, Sendable {
  /// What a model says of a picture about one prompt or class.
  struct Answer: Codable, Sendable {
    /// The class or prompt.
    var name: String
    /// Its probability, 0 … 1.
    var probability: Double
    /// Whether it is true of the picture.
    var isTrue: Bool
    /// Maps of where the model looked for it.
    var maps: [Map]

    init(name: String, probability: Double, isTrue: Bool, maps: [Map] = []) {
      (self.name, self.probability, self.isTrue, self.maps) = (name, probability, isTrue, maps)
    }
  }

  /// A map over a picture.
  struct Map: Codable, Sendable {
    /// What it is: `attention rollout`.
    var title: String
    /// A PNG of the picture with the map over it.
    var png: Data
  }

  /// Why the picture is shown: `rightly and most surely Edema`.
  var title: String
  /// Its file, as the table names it.
  var path: String
  /// What is true of it: `Edema`.
  var truth: String
  /// Whether it is one of the best pictures; else one of the worst.
  var isRight: Bool
  /// A PNG of what the model sees.
  var picture: Data
  /// The most important first.
  var answers: [Answer]

  init(
    title: String, path: String, truth: String, isRight: Bool, picture: Data, answers: [Answer]
  ) {
    (self.title, self.path, self.truth, self.isRight) = (title, path, truth, isRight)
    (self.picture, self.answers) = (picture, answers)
  }
}

/// What the page of an evaluation shows beyond its numbers; what `page.json` holds, so that the page can be made anew.
struct PageFigures: Codable, Sendable {
  /// Best and worst pictures.
  var examples: [PageExample]
  /// Drawings of the training, as HTML.
  var curves: [String]
  /// When the evaluation was made; nil if unknown.
  var date: String?

  /// The file's name beside `metrics.json`.
  static let fileName = "page.json"
}
