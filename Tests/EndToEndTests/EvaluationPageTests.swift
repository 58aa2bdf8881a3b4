import Foundation
import FoundationXML
import Testing

/// The page of an evaluation holds what its files say, whole in itself.
@Suite struct EvaluationPageTests {
  /// An invented evaluation as `metrics.json` has it.
  private struct Invented {
    var names = ["Edema", "No <Finding> & \"none\""]
    var question = "one_of"
    var hasValidation = true

    static func metric(
      _ name: String, _ title: String, _ value: Double?, chance: Double? = nil, note: String? = nil
    ) -> [String: Any] {
      var metric: [String: Any] = ["name": name, "title": title]
      metric["value"] = value
      if let value { metric["interval"] = ["lower": value - 0.031, "upper": value + 0.042] }
      metric["chance"] = chance
      metric["note"] = note
      return metric
    }

    private func one(_ index: Int, _ name: String) -> [String: Any] {
      let isUndefined = index == names.count - 1
      let curve = [["x": 0.0, "y": 0.0], ["x": 0.25, "y": 0.75], ["x": 1.0, "y": 1.0]]
      let auc = Self.metric(
        "auc", "AUC", isUndefined ? nil : 0.8125, chance: 0.5, note: isUndefined ? "no sample has it" : nil)
      let threshold: [String: Any] = [
        "rule": "youden", "threshold": 0.375, "validationValue": 0.611,
        "metrics": [Self.metric("sensitivity", "Sensitivity", 0.714)],
      ]
      return [
        "name": name, "positiveCount": isUndefined ? 0 : 7, "negativeCount": isUndefined ? 20 : 13,
        "unknownCount": 0, "metrics": [auc], "roc": isUndefined ? [] : curve,
        "precisionRecall": isUndefined ? [] : curve, "thresholds": hasValidation ? [threshold] : [],
      ]
    }

    private var card: [String: Any] {
      let bin: [String: Any] = [
        "lower": 0.5, "upper": 0.6, "count": 20, "meanProbability": 0.55, "observedShare": 0.65,
      ]
      let metrics = [
        Self.metric("accuracy", "Accuracy", 0.6412, chance: 0.5),
        Self.metric("auc", "AUC", nil, chance: 0.5, note: "one class has no samples"),
        Self.metric("log_loss", "Log-loss", 0.7654, chance: 0.6931),
      ]
      var calibration: [String: Any] = ["bins": [bin], "scaledBins": [], "metrics": []]
      if hasValidation { calibration.merge(["temperature": 1.643, "scaledBins": [bin]]) { $1 } }
      var card: [String: Any] = [
        "count": 20, "clusterCount": 11, "metrics": metrics, "calibration": calibration,
        "classes": names.enumerated().map { one($0.offset, $0.element) },
        "subgroups": [["trait": "sex", "value": "F", "count": 12, "metrics": [metrics[0]]]],
        "warnings": ["AUC 0.07 is below 0.3: a sign is probably inverted"],
      ]
      if question == "one_of" {
        let row = [Int](repeating: 1, count: names.count - 1)
        card["confusion"] = names.indices.map {
          $0 == 0 ? [6] + row : [Int](repeating: 2, count: names.count)
        }
      }
      return card
    }

    /// The file's contents.
    var report: [String: Any] {
      let texts = names.map { ["a picture of \($0)"] }
      return [
        "dataset": "Invented 'set'", "table": "data/test.csv", "count": 20, "classNames": names,
        "question": question, "validation": hasValidation ? "30 pictures of valid.csv" : "there is no table",
        "scores": [["prompts": "published", "texts": texts, "card": card]],
        "skipped": [["origin": "test.csv:7", "imagePath": "a.jpg", "reason": "cut short"]],
        "notes": ["one caption is cut"],
        "provenance": [["part": "data", "name": "table SHA-256", "value": "2c26b46b"]],
      ]
    }

    /// Writes it into a folder of its own.
    func folder() throws -> String {
      let folder = try Tool.scratch()
      try JSONSerialization.data(withJSONObject: report).write(
        to: URL(fileURLWithPath: folder + "/metrics.json"))
      return folder
    }
  }

  /// Reads a page as XML, which is stricter than HTML.
  private final class PageReader: NSObject, XMLParserDelegate {
    var text = ""
    var counts: [String: Int] = [:]
    var sections: [String] = []
    var pictures: [String] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      counts[name, default: 0] += 1
      if name == "section", let id = attributes["id"] { sections.append(id) }
      if name == "img", let source = attributes["src"] { pictures.append(source) }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  }

  private func page(_ folder: String, _ options: [String] = []) throws -> (html: String, read: PageReader) {
    let result = try Tool.run(["report", folder] + options)
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.output.isEmpty && result.errors.contains("written: \(folder)/report.html"))
    let html = try String(contentsOfFile: folder + "/report.html", encoding: .utf8)
    let reader = PageReader()
    let parser = XMLParser(data: Data(html.utf8))
    parser.delegate = reader
    let isWellFormed = parser.parse()
    try #require(isWellFormed, "\(parser.parserError.debugDescription) line \(parser.lineNumber)")
    reader.text = reader.text.replacing("\u{A0}", with: " ")
    return (html, reader)
  }

  @Test func itIsWellFormedAndNeedsNothingButItself() throws {
    let folder = try Invented().folder()
    let (html, read) = try page(folder)
    for outside in ["://", "<script", "<link", "<Finding>", folder] {
      #expect(!html.contains(outside), "\(outside)")
    }
    #expect(html.contains("default-src 'none'"), "a browser is told to fetch nothing")
    #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print"))
    #expect(
      read.sections == [
        "headline", "classes", "curves", "confusion", "thresholds", "calibration", "subgroups", "pictures",
        "prompts", "skipped", "provenance",
      ])
    for id in read.sections { #expect(html.contains("href=\"#\(id)\""), "\(id)") }
    #expect(read.counts["table"] == read.counts["caption"])
    let again = try page(folder)
    #expect(again.html == html, "the page depends on the files alone")
  }

  @Test func itSaysEveryNumberWithItsIntervalAndChance() throws {
    let text = try page(try Invented().folder()).read.text
    for expected in [
      "20 pictures of 11 patients", "64.1 %", "95 % interval [61.0, 68.3]", "chance 50.0 %",
      // A loss is no share.
      "0.765", "[0.734, 0.807]", "0.693",
      // What is undefined says why.
      "one class has no samples", "undefinedno sample has it",
      // Thresholds, what they were chosen on, and the temperature.
      "0.375", "J 0.611", "71.4 %", "30 pictures of valid.csv.", "1.643",
      // Six of seven, in the row of the first class.
      "686 %",
      "Warning AUC 0.07 is below 0.3: a sign is probably inverted.", "Note One caption is cut.",
      "a picture of No <Finding> & \"none\"", "test.csv:7", "cut short", "2c26b46b",
    ] {
      #expect(text.contains(expected), "\(expected)")
    }
  }

  @Test func manyClassesHaveDrawingsOfTheirOwnAndNumberedColumns() throws {
    let few = try page(try Invented().folder())
    // One class is undefined: a curve in each of two drawings, and two reliability diagrams.
    #expect(few.read.counts["polyline"] == 2 + 2)
    var many = Invented()
    many.names = (1...10).map { "Finding \($0)" }
    let (html, read) = try page(try many.folder())
    #expect(read.counts["polyline"] == 2 * 9 + 2)
    #expect(read.counts["figure"] == 9 + 2)
    #expect(read.text.contains("No curves") && html.contains("<abbr title=\"Finding 10\">10</abbr>"))
  }

  @Test func whatWasNotChosenOrAskedIsSaid() throws {
    var invented = Invented()
    invented.hasValidation = false
    invented.question = "each"
    let (_, read) = try page(try invented.folder())
    #expect(read.text.contains("None were chosen. There is no table."))
    #expect(read.text.contains("No temperature was fitted. There is no table."))
    #expect(!read.sections.contains("confusion") && read.text.contains("by itself"))
  }

  @Test func picturesAndCurvesComeFromTheirFile() throws {
    let folder = try Invented().folder()
    let without = try Tool.run(["report", folder])
    #expect(without.errors.contains("\(folder)/page.json is not there"))
    #expect(try page(folder).read.text.contains("No pictures are stored"))
    let source = Tool.root.appendingPathComponent("Tests/Fixtures/images/gray8_tall.png")
    let png = try Data(contentsOf: source).base64EncodedString()
    let answers: [[String: Any]] = [
      [
        "name": "Edema", "probability": 0.917, "isTrue": true,
        "maps": [["title": "where it <looked>", "png": png]],
      ],
      ["name": "other", "probability": 0.083, "isTrue": false, "maps": [Any]()],
    ]
    let example: [String: Any] = [
      "title": "edema, found", "path": "a/b&c.jpg", "truth": "Edema", "isRight": true, "picture": png,
      "answers": answers,
    ]
    let figures: [String: Any] = [
      "examples": [example], "curves": ["<figure class=\"chart\"><figcaption>Loss</figcaption></figure>"],
    ]
    try JSONSerialization.data(withJSONObject: figures).write(
      to: URL(fileURLWithPath: folder + "/page.json"))
    let (_, read) = try page(folder)
    #expect(read.pictures == [String](repeating: "data:image/png;base64,\(png)", count: 2))
    for expected in ["Edema, found", "a/b&c.jpg", "91.7 %", "✓ true", "Edema: where it <looked>"] {
      #expect(read.text.contains(expected), "\(expected)")
    }
    #expect(read.sections.contains("training") && read.text.contains("Loss"))
  }

  @Test func filesThatAreNoEvaluationAreNamed() throws {
    let folder = try Tool.scratch()
    let absent = try Tool.run(["report", folder])
    #expect(absent.status == 66 && absent.errors.contains("metrics.json"))
    try Data("{\"dataset\": 3}".utf8).write(to: URL(fileURLWithPath: folder + "/metrics.json"))
    let other = try Tool.run(["report", folder])
    #expect(other.status == 65 && other.errors.contains("'dataset'"), "\(other.errors)")
    let good = try Invented().folder()
    try Data("mine".utf8).write(to: URL(fileURLWithPath: good + "/mine.html"))
    let refused = try Tool.run(["report", good, "--out", good + "/mine.html"])
    #expect(refused.status == 74 && refused.errors.contains("--overwrite"))
    #expect(try String(contentsOfFile: good + "/mine.html", encoding: .utf8) == "mine")
    let replaced = try Tool.run([
      "report", good + "/metrics.json", "--out", good + "/mine.html", "--overwrite",
    ])
    #expect(replaced.status == 0)
    #expect(try String(contentsOfFile: good + "/mine.html", encoding: .utf8).hasPrefix("<!DOCTYPE html>"))
    #expect(!FileManager.default.fileExists(atPath: good + "/report.html"))
    #expect(try Tool.run(["report", "--help"]).output.contains("USAGE: cleft report"))
  }
}
