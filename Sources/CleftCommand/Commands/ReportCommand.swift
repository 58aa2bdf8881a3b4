import ArgumentParser
import CleftFormats
import CleftMetrics
import CleftTraining
import Foundation

/// `cleft report`: the page of an evaluation, made anew from its files.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write the page of an evaluation anew, from the numbers that the evaluation left behind.",
    discussion: """
      EVALUATION is the folder that 'cleft eval' wrote, or its metrics.json. Numbers come from metrics.json; pictures, \
      maps and curves of the training from page.json beside it; without that file the page says that it has none.
      """)

  @Argument(help: "Folder of an evaluation, or its metrics.json.") var evaluation: String
  @Option(
    help: .value("file", "Page to write. Default: report.html beside metrics.json, replacing the one there."))
  var out: String?
  @Flag(help: "Replace an --out file that is there.") var overwrite = false

  func run() throws {
    let evaluation = Self.expanded(evaluation)
    let metrics = FileSystem.isFolder(evaluation) ? "\(evaluation)/\(EvaluationFolder.metrics)" : evaluation
    let folder = (metrics as NSString).deletingLastPathComponent
    let beside = { (name: String) in folder.isEmpty ? name : "\(folder)/\(name)" }
    if let out, !overwrite, FileSystem.exists(Self.expanded(out)) {
      throw FormatError.system(
        Problem(
          "--out \(out)", found: "something there already", expected: "a new name",
          hint: "Choose another one, or pass --overwrite."))
    }
    let report = try Self.read(EvaluationReport.self, metrics, "the numbers of an evaluation")
    let isWhole =
      !report.scores.isEmpty && report.scores.allSatisfy { $0.card.classes.count == report.classNames.count }
    guard isWhole else {
      throw FormatError.malformed(
        Problem(
          metrics, found: "scores that do not fit the \(report.classNames.count) classes",
          expected: "the numbers of an evaluation", hint: "Run 'cleft eval' again to write it anew."))
    }
    let stored = beside(PageFigures.fileName)
    let figures =
      FileSystem.exists(stored)
      ? try Self.read(PageFigures.self, stored, "pictures and curves of an evaluation's page") : nil
    let page = EvaluationPage(report: report, figures: figures)
    let path = out.map(Self.expanded) ?? beside(EvaluationFolder.page)
    try FileSystem.write(Data(page.html().utf8), to: path)
    if figures == nil {
      RunLog().say("\(stored) is not there: the page has no pictures and no curves of the training.")
    }
    RunLog().say("written: \(path)")
  }

  private static func expanded(_ path: String) -> String { (path as NSString).expandingTildeInPath }

  private static func read<T: Decodable>(_ type: T.Type, _ path: String, _ what: String) throws -> T {
    let data = try FileSystem.read(path)
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do { return try decoder.decode(type, from: data) } catch {
      throw FormatError.malformed(
        Problem(
          path, found: Self.text(error), expected: what,
          hint: "Run 'cleft eval' again to write it anew."))
    }
  }

  /// Where in the file something is missing or of another kind.
  private static func text(_ error: any Error) -> String {
    let place = { (path: [any CodingKey], last: String?) in
      let keys = path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue } + (last.map { [$0] } ?? [])
      return "'\(keys.joined(separator: ".").replacing(".[", with: "["))'"
    }
    switch error as? DecodingError {
    case .keyNotFound(let key, let context): return "no \(place(context.codingPath, key.stringValue))"
    case .valueNotFound(_, let context): return "nothing at \(place(context.codingPath, nil))"
    case .typeMismatch(_, let context), .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "something that is not such JSON" : "a value of another kind at \(place(context.codingPath, nil))"
    default: return "something that is not such JSON"
    }
  }
}
