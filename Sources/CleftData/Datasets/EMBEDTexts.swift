import CleftFormats
import Foundation

/// The words of EMBED's codes, looked up once, and the prompts made of them.
struct EMBEDTexts {
  /// Letters of the assessment column in the order of the BI-RADS numbers.
  static let letters = ["A", "N", "B", "P", "S", "M", "K"]
  /// Names of all values that texts may ask for.
  static let valueNames = [
    "SIDE", "VIEW", "IMAGE_TYPE", "PROCEDURE", "REASON", "RACE", "ETHNIC", "AGE", "DENSITY_NUMBER", "DENSITY",
    "DENSITY_REMARK", "BIRADS", "BIRADS_DESC", "FINDING", "ASSESSMENT", "MASS_SHAPE", "MASS_DENSITY",
    "CALC_SHAPE", "CALC_DISTRIBUTION",
  ]

  let templates: CaptionTemplates
  /// Values of each density, 1 to 5.
  private let densities: [[String: String]]
  /// Values of each BI-RADS number.
  private let assessments: [[String: String]]

  init(_ templates: CaptionTemplates) throws(DataError) {
    func word(_ table: String, _ code: String) throws(DataError) -> String {
      if let word = templates.word(table, code) { return word }
      throw .badData(
        Problem("\(templates.source): words: \(table)", found: "no words for '\(code)'", hint: "Add them."))
    }
    self.templates = templates
    var densities: [[String: String]] = []
    for number in 1...5 {
      densities.append([
        "DENSITY_NUMBER": "\(number)", "DENSITY": try word("density", "\(number)"),
        "DENSITY_REMARK": templates.word("density_remark", "\(number)") ?? "",
      ])
    }
    var assessments: [[String: String]] = []
    for (number, letter) in Self.letters.enumerated() {
      assessments.append([
        "BIRADS": "\(number)", "BIRADS_DESC": try word("birads", letter),
        "FINDING": try word("finding", letter), "ASSESSMENT": try word("assessment", letter),
      ])
    }
    self.densities = densities
    self.assessments = assessments
  }

  /// What texts say about a density, 1 to 5.
  func values(density: Int) -> [String: String] { densities[density - 1] }

  /// What texts say about a BI-RADS number.
  func values(birads: Int) -> [String: String] { assessments[birads] }

  /// Class names: the words of densities 1 to 4 or of the BI-RADS numbers.
  func classNames(_ request: DatasetRequest) -> [String] {
    request.predictsDensity
      ? densities.prefix(4).map { $0["DENSITY"] ?? "" } : assessments.map { $0["BIRADS_DESC"] ?? "" }
  }

  /// The published prompts of the question, then the others of the file whose names start like it; all those of a file
  /// of prompt sets.
  func promptSets(
    _ request: DatasetRequest, _ prompts: PromptTexts, classNames: [String]
  ) throws(DataError) -> [PromptSet] {
    let (question, words) = request.predictsDensity ? ("density", "DENSITY") : ("birads", "BIRADS_DESC")
    let values = request.predictsDensity ? Array(densities.prefix(4)) : assessments
    let classes = zip(classNames, values).map { name, values in
      PromptClass(
        name: name,
        values: values.merging(["CLASS": templates.word("classes", name) ?? values[words] ?? name]) { $1 })
    }
    if prompts.isOwnFile { return try prompts.fileSets(classes, known: classNames) }
    let others = prompts.fittingNames.filter { $0 != question && $0.hasPrefix(question) }
    var sets: [PromptSet] = []
    for name in [question] + others {
      sets.append(
        try prompts.set(name, as: name == question ? "published" : name, classes, known: classNames))
    }
    return sets
  }
}
