import CleftData
import CleftImaging
import CleftMetrics
import CleftTraining
import Foundation

/// The best and the worst pictures of an evaluation, for its page.
struct EvaluationExamples {
  let run: EvaluationRun
  let outcome: EvaluationRun.Outcome

  /// Answers shown of a picture, at least those that are true or wrongly given.
  private static let answerCount = 3

  /// At most `count` of the best and as many of the worst, of all classes in turn.
  func pages(count: Int) throws -> [PageExample] {
    let choices = ExampleChoice.all(outcome.scored.parts[0].table)
    let best = ExampleChoice.inTurn(choices.filter(\.isRight), count) { $0.certainty > $1.certainty }
    let worst = ExampleChoice.inTurn(choices.filter { !$0.isRight }, count) { $0.certainty > $1.certainty }
    let set = outcome.scored.parts[0].prompts
    let chosen = best + worst
    let maps = chosen.isEmpty ? nil : try run.maps.map { try $0.knowing(outcome.dataset, run.data.pictures) }
    return try chosen.map { try page($0, set, maps) }
  }

  private func page(
    _ choice: ExampleChoice, _ set: PromptSet?, _ maker: MapMaker?
  ) throws -> PageExample {
    let table = outcome.scored.parts[0].table
    let sample = outcome.dataset.samples[choice.row]
    let probabilities = outcome.probabilities(of: choice.row)
    let picture = try run.data.pictures.evaluation(sample)
    let sorted = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
    // What is true and what was said come first.
    let spoken = [choice.column] + table.labels[choice.row].filter { $0 != choice.column }
    let shown = Array((spoken + sorted.filter { !spoken.contains($0) }).prefix(Self.answerCount))
    let maps: [[PageExample.Map]] =
      if let maker, let set {
        try maker.overlays(picture, set, prefix: sample.promptPrefix, columns: shown)
      } else {
        shown.map { _ in [] }
      }
    let answers = zip(shown, maps).map { column, maps in
      PageExample.Answer(
        name: table.classNames[column], probability: probabilities[column],
        isTrue: table.labels[choice.row].contains(column), maps: maps)
    }
    let truth = table.labels[choice.row].map { table.classNames[$0] }.joined(separator: ", ")
    return PageExample(
      title: choice.title(table), path: sample.imagePath,
      truth: truth.isEmpty ? "none of the classes" : truth,
      isRight: choice.isRight, picture: try ImageEncoder.png(picture), answers: answers)
  }
}

/// A picture that may be shown, and for which answer.
struct ExampleChoice {
  /// Row of the picture, column of the answer that was given or missed.
  let row, column: Int
  let isRight: Bool
  /// Probability of the answer that was given.
  let certainty: Double

  /// The most telling answer about each picture of a table.
  static func all(_ table: PredictionTable) -> [ExampleChoice] {
    let probabilities = table.probabilities()
    return (0..<table.count).compactMap { row in
      let own = Array(probabilities[row * table.classCount..<(row + 1) * table.classCount])
      return table.question == .oneOf ? best(row, own, table) : strangest(row, own, table)
    }
  }

  /// The class that wins.
  private static func best(_ row: Int, _ own: [Double], _ table: PredictionTable) -> ExampleChoice {
    var column = 0
    for other in own.indices where own[other] > own[column] { column = other }
    return ExampleChoice(
      row: row, column: column, isRight: table.labels[row].contains(column), certainty: own[column])
  }

  /// The answer that is most wrong, or where none is, the present class that is most surely found.
  private static func strangest(_ row: Int, _ own: [Double], _ table: PredictionTable) -> ExampleChoice? {
    let unknown = table.unknown.isEmpty ? [] : table.unknown[row]
    let known = own.indices.filter { !unknown.contains($0) }
    func certainty(_ column: Int) -> Double { max(own[column], 1 - own[column]) }
    let wrong = known.filter { (own[$0] > 0.5) != table.labels[row].contains($0) }
    if let column = wrong.max(by: { certainty($0) < certainty($1) }) {
      return ExampleChoice(row: row, column: column, isRight: false, certainty: certainty(column))
    }
    return table.labels[row].max { own[$0] < own[$1] }.map {
      ExampleChoice(row: row, column: $0, isRight: true, certainty: own[$0])
    }
  }

  /// The first ones of each class's in turn.
  static func inTurn(
    _ choices: [ExampleChoice], _ count: Int, _ isBefore: (ExampleChoice, ExampleChoice) -> Bool
  ) -> [ExampleChoice] {
    var queues = Dictionary(grouping: choices, by: \.column).sorted { $0.key < $1.key }.map {
      Array($0.value.sorted { isBefore($0, $1) || (!isBefore($1, $0) && $0.row < $1.row) }.reversed())
    }
    var chosen: [ExampleChoice] = []
    while chosen.count < count, queues.contains(where: { !$0.isEmpty }) {
      for index in queues.indices where chosen.count < count {
        if let next = queues[index].popLast() { chosen.append(next) }
      }
    }
    return chosen
  }

  /// Why the picture is shown, in words.
  func title(_ table: PredictionTable) -> String {
    let name = table.classNames[column]
    if isRight { return "\(name), found" }
    if table.labels[row].contains(column) { return "\(name), missed" }
    guard table.question == .oneOf, let truth = table.labels[row].first else {
      return "\(name), taken for present"
    }
    return "\(table.classNames[truth]), taken for \(name)"
  }
}

extension EvaluationRun.Outcome {
  /// Probabilities of the classes for a picture under the prompt set that counts.
  func probabilities(of row: Int) -> [Double] {
    scored.parts[0].table.rows([row]).probabilities()
  }
}
