import CleftData
import CleftFormats
import Foundation
import Testing

@Suite struct CheXpertTests {
  private static let header = (["Path", "AP/PA"] + Finding.allCases.map(\.rawValue)).joined(separator: ",")

  /// A line of the table.
  private static func line(_ path: String, _ view: String = "AP", _ cells: [Finding: String] = [:]) -> String
  {
    ([path, view] + Finding.allCases.map { cells[$0] ?? "" }).joined(separator: ",")
  }

  private static func path(_ patient: Int) -> String {
    "CheXpert-v1.0/train/patient0000\(patient)/study1/view1_frontal.jpg"
  }

  private static let published: [String] = [
    header,
    line(path(1), "PA", [.cardiomegaly: "1.0", .edema: "1", .pneumonia: "-1.0", .fracture: "0.0"]),
    line(path(2), "", [.edema: "1.0"]),
    line(path(3), "AP"),
    line(path(4), "AP", [.noFinding: "1.0", .supportDevices: "1.0"]),
    line(path(5), "LL", [.edema: "1.0"]),
  ]

  private func scratch(_ lines: [String] = published, name: String = "train_cheXbert_clean_95.csv") throws
    -> TableScratch
  {
    let scratch = try TableScratch()
    try scratch.write("CheXpert/\(name)", lines.joined(separator: "\n") + "\n")
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
    return scratch
  }

  private func captions(_ change: (inout DatasetRequest) -> Void) throws -> [String?] {
    let scratch = try scratch()
    return try CheXpert.open(scratch.request(.train, change)).samples.map(\.caption)
  }

  /// The worked examples of the published program, in all four modes.
  @Test func workedExamples() throws {
    let prefix = "this is a chest x ray of a patient with"
    #expect(
      try captions { _ in } == [
        "\(prefix) cardiomegaly edema", "\(prefix)", "\(prefix) support devices no finding",
      ])
    #expect(
      try captions { $0.hasNegatives = true } == [
        "\(prefix) cardiomegaly edema but this image has no fracture", "\(prefix) but this image has no",
        "\(prefix) support devices no finding but this image has no",
      ])
    #expect(
      try captions { $0.isPromptTuning = true } == ["cardiomegaly edema", "support devices no finding"])
    #expect(
      try captions {
        $0.isPromptTuning = true
        $0.hasNegatives = true
      }.first == "cardiomegaly edema but this image has no fracture")
  }

  @Test func rowsBecomeSamples() throws {
    let scratch = try scratch()
    let dataset = try CheXpert.open(scratch.request(.train))
    let root = "\(scratch.folder)/CheXpert"
    #expect(dataset.leftOut == ["not frontal": 2] && dataset.badRows.isEmpty)
    #expect(dataset.samples.map(\.labels) == [[1, 4], [], [12, 13]])
    #expect(dataset.samples.map(\.patient) == ["patient00001", "patient00003", "patient00004"])
    #expect(
      dataset.samples[0].imagePath == "\(root)/CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg")
    #expect(dataset.samples[1].origin == "\(root)/train_cheXbert_clean_95.csv:4")
    #expect(dataset.captionLength == 64 && dataset.classNames.count == 14)
    let tuned = try CheXpert.open(
      scratch.request(.train) {
        $0.isPromptTuning = true
        $0.hasNegatives = false
      })
    #expect(tuned.leftOut == ["not frontal": 2, "no caption": 1])
    let entry = try #require(DatasetCatalog.named("chexpert"))
    for (hasNegatives, length) in [(false, 64), (true, 96)] {
      let request = scratch.request(.train) { $0.hasNegatives = hasNegatives }
      #expect(try CheXpert.open(request).captionLength == length && entry.captionLength(request) == length)
    }
  }

  @Test func fiveClassesHaveTheirOwnOrderAndPrompts() throws {
    let scratch = try scratch(name: "chexpert_5x200.csv")
    let dataset = try CheXpert.open(scratch.request(.test) { $0.usesFiveClasses = true })
    #expect(dataset.name == "CheXpert-5x200")
    #expect(dataset.samples.map(\.labels) == [[1, 2], [], []])
    #expect(dataset.notes.first?.hasPrefix("2 test pictures have none of the classes") == true)
    #expect(
      dataset.promptSets == [
        PromptSet(
          name: "published",
          prompts: ["atelectasis", "edema", "cardiomegaly", "pleural effusion", "consolidation"].map {
            "this is a chest x ray of a patient with \($0)"
          })
      ])
    let tuned = try CheXpert.open(
      scratch.request(.test) {
        $0.usesFiveClasses = true
        $0.isPromptTuning = true
      })
    #expect(tuned.samples.count == 3 && tuned.samples[1].caption == nil)
    #expect(tuned.promptSets[0].prompts[3] == "pleural effusion")
  }

  @Test func badRowsStopOrAreCollected() throws {
    let lines = [
      Self.header, Self.line(Self.path(1), "AP", [.edema: "x"]), Self.line("", "AP", [.edema: "1"]),
      Self.line(Self.path(3), "AP", [.edema: "NaN", .fracture: "1"]),
      Self.line(Self.path(4), "", [.edema: "lateral, never looked at"].mapValues { "\"\($0)\"" }),
    ]
    let scratch = try scratch(lines)
    let error = #expect(throws: DataError.self) { try CheXpert.open(scratch.request(.train)) }
    #expect(
      error?.description.hasSuffix(
        "train_cheXbert_clean_95.csv:2: column 'Edema' is 'x'; expected 1, 0, -1 or empty. "
          + "Fix the row, or pass --on_bad_row skip (skipped rows are counted and listed).") == true)
    let dataset = try CheXpert.open(scratch.request(.train) { $0.badRows = .skip })
    #expect(dataset.samples.map(\.patient) == ["patient00003"] && dataset.samples[0].labels == [11])
    #expect(dataset.badRows.map(\.reason).first == "column 'Edema' is 'x'; expected 1, 0, -1 or empty")
    #expect(dataset.badRows.map { $0.origin.suffix(6) } == [".csv:2", ".csv:3"])
    #expect(dataset.badRows[0].imagePath.hasSuffix("patient00001/study1/view1_frontal.jpg"))
  }

  /// The share is taken as pandas does; of which splits depends on the mode.
  @Test func sharesOfTheRows() throws {
    let lines = [Self.header] + (0..<100).map { Self.line("v/p\($0).jpg", "AP", [.edema: "1"]) }
    let scratch = try scratch(lines)
    try scratch.write("CheXpert/train_cheXbert_clean_5.csv", lines.joined(separator: "\n"))
    func names(_ split: Split, _ change: @escaping (inout DatasetRequest) -> Void = { _ in }) throws
      -> [String]
    {
      try CheXpert.open(
        scratch.request(split) {
          $0.fraction = 0.1
          change(&$0)
        }
      ).samples.map { ($0.imagePath as NSString).lastPathComponent }
    }
    let tenth = [83, 53, 70, 45, 44, 39, 22, 80, 10, 0].map { "p\($0).jpg" }
    #expect(try names(.train) == tenth)
    #expect(try names(.valid).count == 100)
    #expect(try names(.valid) { $0.subsamplesAllSplits = true } == tenth)
    #expect(try names(.valid) { $0.isPromptTuning = true }.count == 100)
    let published = try names(.valid) {
      $0.isPromptTuning = true
      $0.quirks = .reference
    }
    #expect(published == tenth)
  }

  @Test func aShareWithoutARowIsRefused() throws {
    let scratch = try scratch()
    let error = #expect(throws: DataError.self) {
      try CheXpert.open(scratch.request(.train) { $0.fraction = 0.125 })
    }
    #expect(error?.exitStatus == .badConfiguration)
    #expect(
      error?.description
        == "--data_pct 0.125: no row left of 3; expected a share of at least one row. One row is a share of "
        + "0.3333333333333333.")
    for fraction in [1e-20, 0, -1] {
      #expect(throws: DataError.self) {
        try CheXpert.open(scratch.request(.train) { $0.fraction = fraction })
      }
    }
  }

  @Test func tablesWithoutRows() throws {
    let scratch = try scratch([Self.header])
    let dataset = try CheXpert.open(scratch.request(.train) { $0.fraction = 0.5 })
    let error = #expect(throws: DataError.self) { try dataset.requireRows() }
    #expect(
      error?.description
        == "\(scratch.folder)/CheXpert/train_cheXbert_clean_95.csv: no usable row; expected at least one.")
    try scratch.write("CheXpert/train_cheXbert_clean_95.csv", "\r\n\n")
    let empty = #expect(throws: FormatError.self) { try CheXpert.open(scratch.request(.train)) }
    #expect(
      empty?.description.hasSuffix("clean_95.csv: an empty file; expected a line of column names.") == true)
  }

  /// What was skipped says why nothing is left.
  @Test func tablesOfBadRows() throws {
    let lines = [Self.header] + (1...2).map { Self.line(Self.path($0), "AP", [.edema: "x"]) }
    let scratch = try scratch(lines)
    let dataset = try CheXpert.open(scratch.request(.train) { $0.badRows = .skip })
    let error = #expect(throws: DataError.self) { try dataset.requireRows() }
    #expect(error?.problem.hint.hasPrefix("Bad rows: 2, the first ") == true)
    #expect(
      error?.problem.hint.hasSuffix(".csv:2: column 'Edema' is 'x'; expected 1, 0, -1 or empty.") == true)
  }

  @Test func anotherTableAndASuffix() throws {
    let scratch = try scratch()
    let there = try scratch.write("CheXpert/CheXpert-v1.0/a/1.jpg", "")
    let resized = try scratch.write("CheXpert/CheXpert-v1.0/a.b/2_resized.jpg", "")
    let table = try scratch.write(
      "own.csv",
      [Self.header, Self.line("X/a/1.jpg"), Self.line("X/a.b/2.jpg"), Self.line("/abs/3.jpg")]
        .joined(separator: "\r\n"))
    let plain = try CheXpert.open(scratch.request(.valid, table: table)).samples
    #expect(plain[1].imagePath.hasSuffix("a.b/2.jpg") && plain[1].patient == nil)
    let dataset = try CheXpert.open(scratch.request(.valid, table: table) { $0.imageSuffix = "_resized" })
    #expect(dataset.samples.map(\.imagePath) == [there, resized, "/abs/3_resized.jpg"])
    #expect(dataset.table == table && dataset.name == "CheXpert valid")
  }

  @Test func textsOfOnesOwn() throws {
    let scratch = try scratch()
    let file = try scratch.write(
      "own.yaml",
      """
      parts: {p: "Findings: {POSITIVES}"}
      captions: {published: [p]}
      prompts: {published: "Shows {CLASS}", short: "{CLASS}"}
      words: {classes: {Edema: lung edema}}
      clean: none
      """)
    let dataset = try CheXpert.open(scratch.request(.train) { $0.captionFile = file })
    #expect(dataset.samples[0].caption == "Findings: Cardiomegaly lung edema")
    #expect(dataset.promptSets.map(\.name) == ["published", "short"])
    #expect(dataset.promptSets.map { $0.prompts[4] } == ["shows lung edema", "lung edema"])
    try scratch.write("own.yaml", "parts: {p: \"{POSITIVE}\"}\ncaptions: {published: [p]}")
    let error = #expect(throws: DataError.self) {
      try CheXpert.open(scratch.request(.train) { $0.captionFile = file })
    }
    #expect(error?.description.contains("no value {POSITIVE}. Nearest: POSITIVES") == true)
  }

  @Test func rowsOfAnotherLengthStopOrAreCollected() throws {
    let scratch = try scratch(
      Self.published + ["a,b", Self.line(Self.path(6)) + ",1", Self.line(Self.path(7))])
    let table = "\(scratch.folder)/CheXpert/train_cheXbert_clean_95.csv"
    let error = #expect(throws: DataError.self) { try CheXpert.open(scratch.request(.train)) }
    #expect(
      error?.description
        == "\(table):7: 2 fields; expected 16 as in line 1. Quote fields that contain the separator, or pass "
        + "--on_bad_row skip (skipped rows are counted and listed).")
    let dataset = try CheXpert.open(scratch.request(.train) { $0.badRows = .skip })
    #expect(
      dataset.badRows == [
        BadRow(origin: "\(table):7", imagePath: "", reason: "2 fields; expected 16 as in line 1"),
        BadRow(origin: "\(table):8", imagePath: "", reason: "17 fields; expected 16 as in line 1"),
      ])
    #expect(dataset.samples.last?.origin == "\(table):9" && dataset.samples.count == 4)
    #expect(dataset.leftOut == ["not frontal": 2])
  }

  @Test func testPicturesWithSeveralClassesAreCounted() throws {
    let scratch = try scratch(name: "chexpert_5x200.csv")
    let note = "test pictures have several of the classes and are scored on the first in class order"
    #expect(try CheXpert.open(scratch.request(.test)).notes.last == "2 \(note)")
    let five = try CheXpert.open(scratch.request(.test) { $0.usesFiveClasses = true })
    #expect(five.notes.last == "1 \(note)" && five.notes.count == 2)
    let table = "\(scratch.folder)/CheXpert/chexpert_5x200.csv"
    #expect(try CheXpert.open(scratch.request(.valid, table: table)).notes.isEmpty)
  }
}
