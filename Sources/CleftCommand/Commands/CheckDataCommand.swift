import ArgumentParser
import CleftData
import CleftFormats
import CleftImaging
import CleftTensor
import CleftText
import CleftTraining
import Foundation

/// `cleft check-data`: whether data can be trained on, and what is in it.
struct CheckDataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-data",
    abstract: "Decode every picture of a dataset, read every table, and say what is wrong and what is there.",
    discussion: """
      Reads every split that exists. Pictures are decoded in processes of their own, so that a file that crashes a \
      decoder costs one line. Ends with 65 if there are bad pictures, bad rows or patients in two splits; duplicates \
      and captions that are cut are warnings. With --make_split nothing is checked: the published tables are made out \
      of a dataset as it is distributed.
      """)

  @OptionGroup(title: "Data") var data: DataOptions

  @Option(help: "HTML page to write: labels, caption lengths, problems, examples.") var report: String?
  @Option(help: "CSV file to write with every problem: split, origin, path, kind, reason.") var list: String?
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @Option(help: "File or folder of the tokenizer that measures captions; default: the shipped vocabulary.")
  var tokenizer: String?
  @Option(help: "Seconds that one picture may take.") var timeout = 60.0
  @Option(help: "Pictures of each class on the page.") var examples = 3
  @Option(help: "fixed, or reference: DICOM values times 255 / maximum, as published.")
  var compat: Compatibility = .fixed
  @OptionGroup(title: "Making splits") var split: SplitMakingOptions
  /// Whether this process decodes for another one.
  @Flag(help: .hidden) var worker = false

  mutating func validate() throws {
    if !(timeout > 0 && timeout <= 86_400) {
      throw ValidationError("--timeout is \(timeout); expected above 0 up to 86400 seconds.")
    }
    if !(0...100).contains(examples) {
      throw ValidationError("--examples is \(examples); expected 0 ... 100.")
    }
  }

  func run() throws {
    if worker { return InspectionWorker.run() }
    if let report = try split.make() { return print(json ? jsonText(report) : SplitText.text(report)) }
    let run = try DataCheckRun(self)
    // Not after hours of decoding.
    for path in [list, report].compactMap({ $0 }) { try FileSystem.requireWritable(path) }
    let check = try run()
    print(json ? jsonText(CheckResult(check)) : CheckText(check: check).text())
    if let list { try FileSystem.write(Data(run.problemList(check).utf8), to: list) }
    if let report { try FileSystem.write(Data(run.page(check).html().utf8), to: report) }
    for path in [list, report].compactMap({ $0 }) { RunLog().say("written: \(path)") }
    guard check.isSound else {
      let counts = check.problems.countByKind
      let errors = ProblemKind.allCases.filter(\.isError).compactMap { kind in
        counts[kind].map { "\(kind.title): \($0)" }
      }
      throw DataError.badData(
        Problem(
          "check-data", found: errors.joined(separator: ", "), expected: "none",
          hint: "Mend or remove them; --list FILE writes every one with its row."))
    }
  }
}

/// Making the published tables instead of checking.
struct SplitMakingOptions: ParsableArguments {
  @Option(
    help: """
      Make a split and stop: \(SplitCatalog.all.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ")).
      """)
  var make_split: String?
  @Option(help: "The table of the dataset as it is distributed.") var source: String?
  @Option(help: "Folder of the published layout to write to; nothing in it is overwritten.") var out: String?
  @Option(help: "Seed of the rows drawn.") var seed: UInt32 = 42
  @Option(help: "Pictures of each class, for splits that draw a number; default: as published.")
  var per_class: Int?

  mutating func validate() throws {
    guard let make_split else {
      if source != nil || out != nil || per_class != nil {
        throw ValidationError("--source, --out and --per_class belong to --make_split, which is not there.")
      }
      return
    }
    if SplitCatalog.named(make_split) == nil {
      let names = nearestNames(to: make_split, among: SplitCatalog.all.map(\.name), count: .max)
      throw ValidationError("--make_split is '\(make_split)'; expected \(names.joined(separator: ", ")).")
    }
    if source == nil || out == nil { throw ValidationError("--make_split needs --source and --out.") }
    if let per_class, per_class < 1 {
      throw ValidationError("--per_class is \(per_class); expected at least 1.")
    }
  }

  /// Makes the split asked for; nil if none is.
  func make() throws -> SplitReport? {
    guard let make_split, let maker = SplitCatalog.named(make_split), let source, let out else { return nil }
    return try maker.make(
      source: (source as NSString).expandingTildeInPath, outputFolder: (out as NSString).expandingTildeInPath,
      seed: seed, perClass: per_class)
  }
}

/// One check from options to a value.
private final class DataCheckRun {
  private let options: CheckDataCommand
  private let parts: [CheckedPart]
  private let tokenizer: any Tokenizer
  private var findings: [String: PictureFinding] = [:]

  init(_ options: CheckDataCommand) throws {
    self.options = options
    tokenizer = try options.tokenizer.map(TokenizerFiles.read) ?? DefaultVocabulary.tokenizer
    parts = try options.data.datasets(options.compat.quirks).map { part in
      var dataset = part.dataset
      if let length = options.data.captions.caption_length { dataset.captionLength = length }
      return (part.split, dataset)
    }
    if parts.isEmpty {
      if options.data.entry.hasLayout, !FileSystem.isFolder(options.data.folder) {
        throw DataError.missing(
          Problem(
            options.data.folder, found: "no such folder", expected: "the published layouts",
            hint: "Pass --data_dir, or make a synthetic set with 'cleft synth'."))
      }
      throw DataError.missing(
        Problem(
          options.data.folder, found: "no table of \(options.data.entry.name)",
          expected: "at least one split",
          hint: "Pass --data_dir, or --train_csv and its like, or make a synthetic set with 'cleft synth'."))
    }
  }

  private var dicom: DicomRendering { options.compat.dicomRendering }

  /// Decodes every picture and sums up.
  func callAsFunction() throws -> DatasetCheck {
    let paths = DatasetCheck.paths(parts)
    let workers = min(options.data.pictures.num_workers, Runtime.availableThreads)
    let inspector = ProcessInspector(
      executable: "/proc/self/exe", arguments: ["check-data", "--worker"], workerCount: workers,
      timeoutSeconds: options.timeout, dicom: dicom)
    var line = ProgressLine(RunLog())
    let found = try inspector.inspect(paths) { line.show(done: $0, of: paths.count) }
    findings = Dictionary(uniqueKeysWithValues: zip(paths, found))
    let measure = tokenizer
    return try DatasetCheck(parts, findings: findings, tokenizer: tokenizerName) {
      measure.encodeWithSpecials($0).count
    }
  }

  /// All problems as a table.
  func problemList(_ check: DatasetCheck) -> String {
    csvText(
      columns: ["split", "origin", "path", "kind", "reason"],
      rows: check.problems.map { [$0.split.rawValue, $0.origin, $0.path, $0.kind.rawValue, $0.reason] })
  }

  /// The page, with examples of the first split that has any.
  func page(_ check: DatasetCheck) throws -> CheckPage {
    for part in parts where options.examples > 0 {
      let groups = try CheckExamples(
        part.dataset, findings: findings, dicom: dicom, count: options.examples
      ).groups()
      if !groups.isEmpty {
        return CheckPage(check: check, exampleSource: part.dataset.name, examples: groups)
      }
    }
    return CheckPage(check: check, exampleSource: "", examples: [])
  }

  private var tokenizerName: String {
    let name = options.tokenizer ?? "the shipped vocabulary"
    return "\(name) (\(tokenizer.vocabularySize) ids)"
  }
}

/// A check as `--json` prints it.
private struct CheckResult: Encodable {
  let isSound: Bool
  let errorCount, warningCount: Int
  let problemCounts: [String: Int]
  let splits: [SplitCheck]
  let problems: [DataProblem]
  let sharedPatients: [SharedPatient]
  let notes: [String]
  let tokenizer: String

  init(_ check: DatasetCheck) {
    isSound = check.isSound
    errorCount = check.errorCount
    warningCount = check.warningCount
    problemCounts = Dictionary(
      uniqueKeysWithValues: check.problems.countByKind.map { ($0.key.rawValue, $0.value) })
    splits = check.splits
    problems = check.problems
    sharedPatients = check.sharedPatients
    notes = check.notes
    tokenizer = check.tokenizer
  }
}
