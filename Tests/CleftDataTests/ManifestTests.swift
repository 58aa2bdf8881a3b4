import CleftData
import CleftFormats
import CleftImaging
import Foundation
import Testing

@Suite struct ManifestTests {
  private let scratch: TableScratch

  init() throws { scratch = try TableScratch() }

  private func open(
    _ name: String, _ text: String, _ split: Split = .train, _ change: (inout DatasetRequest) -> Void
  ) throws -> ImageTextDataset {
    let table = try scratch.write(name, text)
    return try Manifest.open(scratch.request(split, table: table, change))
  }

  private func message(
    _ name: String, _ text: String, _ split: Split = .train, _ change: (inout DatasetRequest) -> Void
  ) throws -> String {
    do { _ = try open(name, text, split, change) } catch let error as any CleftError {
      return error.description
    }
    Issue.record("no error")
    return ""
  }

  @Test func aTableWithTextLabelsAndPatients() throws {
    let dataset = try open(
      "own.csv",
      "\u{FEFF}image,who,report,opacity,effusion\r\n"
        + "a.png,p1,\"Small effusion, left.\nNo \"\"mass\"\".\",0,1\r\n/abs/b.png,,Opacity,1.0,-1\r\nc.png,p3,NaN,1,0\r\n"
    ) {
      $0.manifest.text = "report"
      $0.manifest.labels = ["opacity", "effusion"]
      $0.manifest.patient = "who"
    }
    #expect(dataset.name == "manifest train" && dataset.captionLength == 64)
    #expect(dataset.samples.map(\.caption) == ["small effusion, left. no \"mass\".", "opacity"])
    #expect(dataset.samples.map(\.labels) == [[1], [0]])
    #expect(dataset.samples.map(\.patient) == ["p1", nil])
    #expect(dataset.samples.map(\.imagePath) == ["\(scratch.folder)/a.png", "/abs/b.png"])
    #expect(dataset.samples.map { $0.origin.suffix(9) } == ["own.csv:2", "own.csv:4"])
    #expect(dataset.leftOut == ["no caption": 1])
    #expect(dataset.classNames == ["opacity", "effusion"])
    #expect(
      dataset.promptSets == [
        PromptSet(
          name: "default",
          prompts: ["opacity", "effusion"].map { "this is an image of a patient with \($0)" })
      ])
  }

  @Test func captionsFromLabels() throws {
    let table = "image,opacity,effusion\na.png,1,1\nb.png,0,\n"
    func captions(_ split: Split, _ change: (inout DatasetRequest) -> Void) throws -> [String?] {
      try open("own.csv", table, split) {
        $0.manifest.labels = ["effusion", "opacity"]
        change(&$0)
      }.samples.map(\.caption)
    }
    let prefix = "this is an image of a patient with"
    #expect(try captions(.train) { _ in } == ["\(prefix) effusion opacity", prefix])
    #expect(
      try captions(.valid) { $0.hasNegatives = true } == [
        "\(prefix) effusion opacity but this image has no", "\(prefix) but this image has no opacity",
      ])
    #expect(try captions(.train) { $0.isPromptTuning = true } == ["effusion opacity"])
  }

  @Test func oneTableForAllSplitsWithClassNames() throws {
    let table =
      "file\tlabel\tpart\n1.png\tzebra\ttrain\n2.png\t apple \tVAL\n3.png\tNone\tvalidation\n"
      + "4.png\tzebra\ttest\n5.png\tapple\tdev\n6.png\t\tTest\n7.png\tnan\ttrain\n"
    func read(_ split: Split) throws -> ImageTextDataset {
      try open("own.tsv", table, split) {
        $0.manifest.image = "file"
        $0.manifest.className = "label"
        $0.manifest.split = "part"
        $0.manifest.imageFolder = "~/pictures"
      }
    }
    let parts = try [Split.train, .valid, .test].map(read)
    #expect(parts.map(\.classNames) == Array(repeating: ["None", "apple", "zebra"], count: 3))
    #expect(parts.map { $0.samples.map(\.labels) } == [[[2]], [[1], [0]], [[2]]])
    #expect(parts[0].samples[0].imagePath == "\(NSHomeDirectory())/pictures/1.png")
    #expect(parts[1].samples[0].caption == "this is an image of a patient with apple")
    #expect(parts[0].leftOut == ["no known split": 1, "no caption": 1])
    #expect(parts[1].leftOut == ["no known split": 1])
    #expect(parts[2].leftOut == ["no known split": 1, "no class to score": 1])
    #expect(parts[0].notes.first?.contains("column 'part' is 'dev'; expected train, valid or test") == true)
  }

  @Test func picturesWithTextAlone() throws {
    let dataset = try open("own.txt", "image;text\na.png;Some, text\nb.png;\n", .test) {
      $0.manifest.text = "text"
      $0.manifest.separator = ";"
    }
    #expect(dataset.classNames.isEmpty && dataset.promptSets.isEmpty)
    #expect(dataset.samples.map(\.caption) == ["some, text", nil])
    #expect(dataset.leftOut.isEmpty)
  }

  @Test func badRowsStopOrAreCollected() throws {
    let table = "image,edema\na.png,1\nb.png,maybe\n,1\n"
    let text = try message("own.csv", table) { $0.manifest.labels = ["edema"] }
    #expect(text.contains("own.csv:3: column 'edema' is 'maybe'; expected 1, 0, -1 or empty. Fix the row"))
    let dataset = try open("own.csv", table) {
      $0.manifest.labels = ["edema"]
      $0.badRows = .skip
    }
    #expect(dataset.samples.count == 1)
    #expect(dataset.badRows.map(\.imagePath) == ["\(scratch.folder)/b.png", ""])
    #expect(dataset.badRows.map(\.reason)[1] == "column 'image' is empty; expected a value")
  }

  @Test func textsOfOnesOwnUseEveryColumn() throws {
    let file = try scratch.write(
      "own.yaml",
      """
      parts: {view: "A {view} film. ", age: "Age {age}. ", have: "Shows {POSITIVES}"}
      captions: {labels: [view, age, have]}
      prompts: {default: "Shows {CLASS}", short: "{CLASS}"}
      words: {classes: {pleural_effusion: pleural effusion}, view: {PA: frontal}}
      clean: none
      """)
    let table = "image,view,age,pleural_effusion\na.png,PA,61,1\nb.png,L,,1\n"
    let dataset = try open("own.csv", table) {
      $0.manifest.labels = ["pleural_effusion"]
      $0.captionFile = file
    }
    #expect(
      dataset.samples.map(\.caption) == [
        "A frontal film. Age 61. Shows pleural effusion", "A L film. Shows pleural effusion",
      ])
    #expect(dataset.promptSets.map(\.name) == ["default", "short"])
    #expect(dataset.promptSets.map(\.prompts) == [["shows pleural effusion"], ["pleural effusion"]])
    let text = try message("other.csv", table.replacing(",age,", with: ",years,")) {
      $0.manifest.labels = ["pleural_effusion"]
      $0.captionFile = file
    }
    #expect(text.contains("own.yaml:1: parts: age: no value {age}. Nearest: "))
  }

  @Test func mistakesSayWhatToPass() throws {
    let table = "image,raport,a\nx.png,t,1\n"
    #expect(
      try message("own.csv", table) { $0.manifest.text = "report" }.contains(
        "own.csv:1: no column 'report' (--text_column). Nearest: raport"))
    #expect(
      try message("own.csv", table) { $0.manifest.labels = ["b"] }.contains("no column 'b' (--label_columns)")
    )
    #expect(
      try message("semi.csv", table.replacing(",", with: ";")) { _ in }.contains(
        "There is only one column, 'image;raport;a': pass --separator."))
    #expect(
      try message("own.csv", table) { _ in }.contains("nothing to make captions from. Pass --text_column"))
    let both = try message("own.csv", table) {
      $0.manifest.labels = ["a"]
      $0.manifest.className = "raport"
    }
    #expect(both.contains("--class_column, --label_columns: both; expected one of them"))
    #expect(try message("own.csv", table) { $0.manifest.labels = ["a", "a"] }.contains("a column twice"))
    let error = #expect(throws: DataError.self) { try Manifest.open(scratch.request(.valid)) }
    #expect(
      error?.description
        == "--dataset manifest: no table for the valid split. Pass --valid_csv (tables are --train_csv, "
        + "--valid_csv and --test_csv).")
    #expect(throws: FormatError.self) { try Manifest.open(scratch.request(.valid, table: "/nowhere.csv")) }
  }

  @Test func aPictureColumnOfAnotherName() throws {
    #expect(
      try message("own.csv", "images,who,report\na.png,p,t\n") { $0.manifest.text = "report" }
        == "\(scratch.folder)/own.csv:1: no column 'image' (--image_column). Nearest: images, who, report. Pass the "
        + "name with --image_column.")
  }

  @Test func tablesWithoutRows() throws {
    for empty in ["", "\n\r\n", "\u{FEFF}"] {
      #expect(
        try message("own.csv", empty) { $0.manifest.text = "text" }
          == "\(scratch.folder)/own.csv: an empty file; expected a line of column names.")
    }
    for header in ["image,text,class", "image,text,class\n"] {
      let dataset = try open("own.csv", header, .test) {
        $0.manifest.text = "text"
        $0.manifest.className = "class"
        $0.fraction = 0.1
        $0.subsamplesAllSplits = true
      }
      #expect(dataset.promptSets.isEmpty)
      let error = #expect(throws: DataError.self) { try dataset.requireRows() }
      #expect(error?.description == "\(scratch.folder)/own.csv: no usable row; expected at least one.")
    }
  }

  @Test func captionLengths() throws {
    let entry = try #require(DatasetCatalog.named("manifest"))
    for (hasNegatives, length) in [(false, 64), (true, 96)] {
      let dataset = try open("own.csv", "image,a\nx.png,1\n") {
        $0.manifest.labels = ["a"]
        $0.hasNegatives = hasNegatives
      }
      #expect(dataset.captionLength == length)
      #expect(entry.captionLength(scratch.request(.train) { $0.hasNegatives = hasNegatives }) == length)
    }
  }

  @Test func sharesAndSuffixes() throws {
    let rows = (0..<100).map { "\($0).png,t" }.joined(separator: "\n")
    let resized = try scratch.write("53_small.png", "")
    let dataset = try open("own.csv", "image,text\n\(rows)\n") {
      $0.manifest.text = "text"
      $0.fraction = 0.02
      $0.imageSuffix = "_small"
    }
    #expect(dataset.samples.map(\.imagePath) == ["\(scratch.folder)/83_small.png", resized])
    let none = try message("own.csv", "image,text\n\(rows)\n") {
      $0.manifest.text = "text"
      $0.fraction = 1e-9
    }
    #expect(none.hasPrefix("--data_pct 1e-09: no row left of 100; expected a share of at least one row."))
  }

  @Test func rowsOfAnotherLengthStopOrAreCollected() throws {
    let table = "image,text,part\na.png,one,train\nb.png,x,y,train\n\nc.png,two,train\nd.png,three,test\n"
    let text = try message("own.csv", table) { $0.manifest.text = "text" }
    #expect(
      text == "\(scratch.folder)/own.csv:3: 4 fields; expected 3 as in line 1. Quote fields that contain the "
        + "separator, or pass --on_bad_row skip (skipped rows are counted and listed).")
    func read(_ split: Split) throws -> ImageTextDataset {
      try open("own.csv", table, split) {
        $0.manifest.text = "text"
        $0.manifest.split = "part"
        $0.badRows = .skip
      }
    }
    let bad = BadRow(
      origin: "\(scratch.folder)/own.csv:3", imagePath: "", reason: "4 fields; expected 3 as in line 1")
    let parts = try [Split.train, .valid, .test].map(read)
    #expect(parts.map { $0.samples.map(\.caption) } == [["one", "two"], [], ["three"]])
    // Its split is unknown; one without any rows remains one without any.
    #expect(parts.map(\.badRows) == [[bad], [], [bad]])
    // Too many fields under a single column are a matter of the separator.
    #expect(
      try message("semi.csv", "image;text\na.png;one, two\n") { $0.manifest.text = "text" }.contains(
        "pass --separator"))
  }

  @Test func patientsHaveOneSpelling() throws {
    let cells = ["7", "7.0", " 7 ", "007.00", "7.5", "12e5", " p 1", "NaN", " ", "7.", ".0"]
    let rows = cells.map { "x.png,t,\($0)\n" }.joined()
    let dataset = try open("own.csv", "image,text,who\n" + rows) {
      $0.manifest.text = "text"
      $0.manifest.patient = "who"
    }
    #expect(
      dataset.samples.map(\.patient) == ["7", "7", "7", "007", "7.5", "12e5", "p 1", nil, nil, "7.", ".0"])
    let other = try open("other.csv", "image,text,who\ny.png,t,7.0\n", .test) {
      $0.manifest.text = "text"
      $0.manifest.patient = "who"
    }
    #expect(PatientOverlap([(.train, dataset), (.test, other)]).shared.map(\.patient) == ["7"])
  }

  /// Tables of the splits need not have all classes: their numbers are the same in all.
  @Test func classesOfAllTables() throws {
    let train = try scratch.write("train.csv", "image,kind\na.png,zebra\nb.png,horse\n")
    let valid = try scratch.write("valid.tsv", "image\tkind\nc.png\t ape\nd.png\tape\textra\n")
    let other = try scratch.write("other.csv", "image,sort\ne.png,yak\n")
    func read(_ split: Split, _ table: String) throws -> ImageTextDataset {
      try Manifest.open(
        scratch.request(split, table: table) {
          $0.manifest.className = "kind"
          $0.manifest.classTables = [train, valid, other]
          $0.badRows = .skip
        })
    }
    let parts = try [read(.train, train), read(.valid, valid)]
    #expect(parts.map(\.classNames) == Array(repeating: ["ape", "horse", "zebra"], count: 2))
    #expect(parts.map { $0.samples.map(\.labels) } == [[[2], [1]], [[0]]])
    #expect(
      parts[1].promptSets[0].prompts.count == 3 && parts[1].samples[0].caption?.hasSuffix("ape") == true)
    #expect(throws: DataError.self) { try read(.test, other) }
  }

  @Test func testPicturesWithSeveralClassesAreCounted() throws {
    func notes(_ split: Split) throws -> [String] {
      try open("own.csv", "image,a,b\nx.png,1,1\ny.png,0,1\n", split) { $0.manifest.labels = ["a", "b"] }
        .notes
    }
    #expect(
      try notes(.test) == [
        "1 test pictures have several of the classes and are scored on the first in class order"
      ])
    #expect(try notes(.train).isEmpty)
  }

  @Test func negativesNeedCaptionsMadeHere() throws {
    #expect(
      try message("own.csv", "image,report,a\nx.png,t,1\n") {
        $0.manifest.text = "report"
        $0.manifest.labels = ["a"]
        $0.hasNegatives = true
      }
        == "--negative_prompt: --text_column 'report', whose texts it does not change; expected captions made from "
        + "labels. Leave out one of the two.")
  }

  /// With and without a look into the pictures the same rows are left out, and counted alike.
  @Test func missingPicturesAreLeftOutOneWay() throws {
    let pictures = try PictureFolder()
    let there = try pictures.pictures(2)
    let dataset = try open(
      "own.csv", "image,text\n/nowhere/a.png,t\n\"\(there[0])\",t\n/nowhere/a.png,u\n\"\(there[1])\",t\n"
    ) { $0.manifest.text = "text" }
    var quick = dataset
    quick.leaveOutMissingPictures()
    let thorough = try PictureVerification.run(
      dataset, store: PictureStore(pipeline: ImagePipeline(sizePixels: 56), memoryBytes: 0), policy: .skip,
      memo: nil, workerCount: 1, progress: { _, _ in })
    #expect(quick.samples.map(\.imagePath) == there && quick.badRows.count == 2)
    #expect(quick.samples == thorough.samples && quick.badRows == thorough.badRows)
    #expect(quick.leftOut == thorough.leftOut)
  }
}
