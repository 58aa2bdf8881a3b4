import CleftData
import CleftFormats
import CleftTensor
import Foundation
import Testing

@Suite struct CaptionTests {
  /// Pieces that Python's `re`, `lower` and `encode("ascii", "ignore")` were asked about.
  @Test(arguments: [
    (
      "With BIRADS score 4:suspicious abnormality. 1. w/CAD\nnaïve ",
      ["with birads score 4 suspicious abnormality", "w cad nave"]
    ),
    ("  . 3. ", []),
    ("a12.5b. 6", ["a", "5b", "6"]),
    ("1.2.3", ["3"]),
    ("4é. x", ["4", "x"]),
    ("\u{212A}elvin \u{0130}X \u{00B2}y", ["kelvin i x y"]),
    ("heart\u{FFFD}\u{FFFD}size\u{FFFD}d", ["heart size d"]),
    ("e\u{0301}a snake_case a\u{200D}b", ["e a snake_case a b"]),
    ("Γ Δ. Ж", []),
    // Letters that Python 3.11 does not know yet end a word.
    ("a\u{A7CB}b", ["a b"]),
  ])
  func reportsAreSplitAndCleaned(_ text: String, _ expected: [String]) {
    #expect(Captions.sentences(text) == expected)
  }

  @Test func cellsOfALabelTable() {
    #expect(FindingState(cell: "1.0") == .positive)
    #expect(FindingState(cell: " 1.00") == .positive)
    #expect(FindingState(cell: "0") == .negative)
    #expect(FindingState(cell: "-1.0") == .uncertain)
    for empty in ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None", "#N/A", "<NA>", " "] {
      #expect(FindingState(cell: empty) == .notMentioned, "\(empty)")
    }
    for bad in ["x", "2", "0.5", "none", "yes"] { #expect(FindingState(cell: bad) == nil, "\(bad)") }
  }
}

@Suite struct CaptionTemplateTests {
  private func read(_ yaml: String) throws -> CaptionTemplates {
    let scratch = try TableScratch()
    return try CaptionTemplates(file: try scratch.write("own.yaml", yaml))
  }

  private func message(_ yaml: String) throws -> String {
    try #require(#expect(throws: DataError.self) { try read(yaml) }).description
  }

  /// Prompt vectors start from the prefix that the shipped captions have.
  @Test func theChestPrefixIsTheShippedOne() throws {
    let shipped = try CaptionTemplates.shipped("chexpert")
    #expect(try shipped.caption("published", ["POSITIVES": "", "NEGATIVES": ""]) == Captions.chestPrefix)
    #expect(
      try shipped.prompt("published", ["CLASS": "Pleural Effusion"])
        == (Captions.chestPrefix + "Pleural Effusion").lowercased())
  }

  @Test(arguments: ["chexpert", "rsna", "embed", "manifest"])
  func shippedTextsAreRead(_ dataset: String) throws {
    let shipped = try CaptionTemplates.shipped(dataset)
    #expect(
      shipped == (try CaptionTemplates.forRequest(.init(dataFolder: "", split: .test), dataset: dataset)))
    let error = #expect(throws: DataError.self) { try CaptionTemplates.shipped("chexprt") }
    #expect(
      error?.description.contains("no texts for 'chexprt'; expected chexpert, rsna, embed, manifest.") == true
    )
  }

  @Test func partsAreLeftOutAndValuesReplaced() throws {
    let own = try read(
      """
      parts:
        base: "A {{film}} of {WHO|a patient}, "
        view: "view {VIEW}, "
        age: "{AGE} years, {SEX}"
      captions:
        all: {parts: [base, view, age], requires: [AGE]}
        plain: [base, view]
      prompts:
        one: "Film WITH {CLASS}: {GRADE|any} grade"
      words:
        grade: {1: "low", N: none}
      clean: none
      """)
    #expect(try own.caption("all", ["AGE": "5", "SEX": "F"]) == "A {film}} of a patient, 5 years, F")
    #expect(try own.caption("all", ["AGE": "5", "VIEW": "AP"]) == "A {film}} of a patient, view AP, ")
    #expect(try own.caption("all", ["SEX": "F"]) == nil)
    #expect(try own.caption("plain", ["WHO": "", "VIEW": ""]) == "A {film}} of , view , ")
    #expect(try own.prompt("one", ["CLASS": "Edema"]) == "film with edema: any grade")
    #expect(own.word("grade", "1") == "low" && own.word("grade", "N") == "none")
    #expect(own.word("grade", "2") == nil && own.word("grad", "1") == nil)
    #expect(own.families == ["all", "plain"] && own.promptNames == ["one"])
    #expect(own.cleaning == .none && own.cleaned(" A. b\n") == "A. b" && own.cleaned(" \n") == nil)
    #expect(try CaptionTemplates.shipped("chexpert").cleaned(" A. B\n") == "a b")
    let text = "Lungenödem,\n 3.5 cm. ÖDEM"
    #expect(try CaptionTemplates.shipped("manifest").cleaned(text) == "lungenödem, 3.5 cm. ödem")
  }

  @Test func emptySectionsAreNoneAtAll() throws {
    let own = try read("parts:\ncaptions: {}\nprompts: ~\n")
    #expect(own.families.isEmpty && own.promptNames.isEmpty && own.cleaning == .words)
    #expect(try read("").families.isEmpty)
  }

  @Test func askingForWhatIsNotThereNamesTheNearest() throws {
    let own = try read(
      "parts: {a: \"{VIEW}\"}\ncaptions: {report: [a]}\nprompts: {zero: \"{CLASS} {GRADE}\"}")
    let family = #expect(throws: DataError.self) { try own.caption("raport", [:]) }
    #expect(family?.description.hasSuffix("own.yaml: captions: no 'raport'. Nearest: report.") == true)
    let prompt = #expect(throws: DataError.self) { try own.prompt("zer", [:]) }
    #expect(prompt?.description.hasSuffix("own.yaml: prompts: no 'zer'. Nearest: zero.") == true)
    let value = #expect(throws: DataError.self) { try own.prompt("zero", ["CLASS": "x"]) }
    #expect(value?.description.contains("own.yaml:3: prompts: zero: no value {GRADE}") == true)
    let known = #expect(throws: DataError.self) {
      try own.requireValues(among: ["VIEWS", "SIDE"], ofFamilies: ["report"])
    }
    #expect(known?.description.contains("own.yaml:1: parts: a: no value {VIEW}. Nearest: VIEWS") == true)
  }

  @Test(arguments: [
    ("part:\n  a: x", "own.yaml:2: unknown key 'part'. Nearest: parts"),
    ("parts: {a: x}\ncaptions: {c: [a, bb]}", "own.yaml:2: captions: c: no part 'bb'. Nearest: a."),
    ("parts:\n  a: \"x {VIEW\"", "own.yaml:2: parts: a: an open brace"),
    ("parts:\n  a: \"x {VIEW {B}\"", "own.yaml:2: parts: a: an open brace"),
    ("parts:\n  a: \"x {}\"", "own.yaml:2: parts: a: braces without a name"),
    ("parts:\n  a: {VIEW}", "own.yaml:2: parts: a: a map; expected a text. Quote texts"),
    ("parts: [a]", "own.yaml:1: parts: a list; expected a map"),
    ("captions:\n  c: x", "own.yaml:2: captions: c: the text 'x'; expected a map"),
    ("captions:\n  c: {part: []}", "captions: c: unknown key 'part'. Nearest: parts"),
    ("captions:\n  c: {parts: a}", "captions: c: parts: the text 'a'; expected a list"),
    ("clean: word", "own.yaml:1: clean: 'word'; expected words, text or none"),
    ("words: {t: {1: [x]}}", "words: t: 1: a list; expected a text"),
    ("just words", "own.yaml:1: the text 'just words'; expected a map"),
    ("parts:\n  a: x: y", "own.yaml:2: not YAML (mapping values are not allowed in this context)"),
    ("\"pa\\nrt\": {a: x}", "own.yaml:1: unknown key 'pa rt'. Nearest: parts"),
    ("parts: {a: x, a: y}", "own.yaml:1: a name given twice: a"),
  ])
  func mistakesNameTheirLineAndKey(_ yaml: String, _ expected: String) throws {
    let text = try message(yaml)
    #expect(text.contains(expected), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test func aMissingFileIsMissing() throws {
    let error = try #require(
      #expect(throws: DataError.self) { try CaptionTemplates(file: "/nowhere/own.yaml") })
    #expect(error.exitStatus == .missingInput && error.description.contains("/nowhere/own.yaml"))
  }
}

@Suite struct DatasetCatalogTests {
  private func entry(_ name: String) throws -> DatasetCatalog.Entry {
    try #require(DatasetCatalog.named(name))
  }

  @Test func entriesSayWhatSetsThemApart() throws {
    #expect(DatasetCatalog.all.map(\.name) == ["chexpert", "rsna", "embed", "manifest"])
    #expect(DatasetCatalog.all.map(\.canTrainContrastively) == [true, false, true, true])
    #expect(DatasetCatalog.all.map { $0.keepsLeadingSpace(.reference) } == [true, false, true, true])
    #expect(DatasetCatalog.all.allSatisfy { $0.keepsLeadingSpace(.fixed) })
    #expect(
      DatasetCatalog.specificOptions == [
        "five_cls", "negative_prompt", "structural_cap", "simple_cap", "natural_cap", "instance_test_cap",
        "pred_density", "balanced_test", "small_balanced_train", "keep_size", "image_column", "text_column",
        "label_columns", "class_column", "patient_column", "split_column", "separator", "image_dir",
        "embed_findings_csv", "embed_clinical_csv", "embed_legend_csv", "embed_density_pickle",
      ])
  }

  @Test func optionsOfOtherDatasetsAreRefused() throws {
    let given = ["structural_cap", "data_pct", "pred_density", "keep_size", "five_cls", "negative_prompt"]
    let error = #expect(throws: DataError.self) { try entry("manifest").requireHeeded(given) }
    #expect(error?.exitStatus == .badConfiguration)
    #expect(
      error?.description
        == "--dataset manifest: --five_cls (for chexpert, rsna), --keep_size (for rsna), --pred_density (for embed), "
        + "--structural_cap (for embed), which would be ignored; expected options of this dataset. Leave them out, or "
        + "name the dataset they are for.")
    #expect(throws: DataError.self) { try entry("chexpert").requireHeeded(["image_column"]) }
    // As the published commands have it.
    try entry("rsna").requireHeeded(["five_cls", "keep_size", "learning_rate"])
    for entry in DatasetCatalog.all { try entry.requireHeeded(entry.heeds) }
  }

  @Test func departuresAreThoseOfTheRequest() throws {
    func departures(_ name: String, _ change: (inout DatasetRequest) -> Void = { _ in }) throws -> [String] {
      var request = DatasetRequest(dataFolder: "", split: .test)
      change(&request)
      return try entry(name).departures(request)
    }
    func line(_ quirk: Quirk) -> String { QuirkCatalog.entry(quirk).departure }
    let pictures =
      "DICOM pictures are shown through their LUTs and windows, not scaled by their maximum"
      + " (--quirk dicom_maximum=on undoes it)"
    #expect(line(.dicomMaximum) == pictures)
    #expect(try departures("rsna") == [line(.pneumothoraxPrompt), pictures])
    #expect(try departures("rsna") { $0.isPromptTuning = true }.count == 3)
    #expect(try departures("rsna") { $0.quirks = .reference }.isEmpty)
    #expect(try departures("chexpert").isEmpty && departures("manifest") == [pictures])
    let share = try departures("chexpert") {
      $0.isPromptTuning = true
      $0.fraction = 0.5
    }
    #expect(share == [line(.promptTuningShare)])
    let labels = line(.embedDefaultEmpty)
    let procedure =
      "EMBED pictures without an annotation or a procedure are left out (the published program ends there)"
    #expect(line(.embedGaps) == procedure, "nothing undoes what a crash would be")
    #expect(try departures("embed").contains(labels) && departures("embed").contains(procedure))
    let structural = try departures("embed") {
      $0.captionFamily = "structural"
      $0.quirks = .reference
    }
    #expect(structural.contains(procedure) && !structural.contains(labels))
    #expect(
      try departures("embed") { $0.isSmallBalancedTrain = true }.contains(line(.ignoredBalancedTrain)))
  }
}

@Suite struct SubsamplingTests {
  @Test func pandasVector() {
    #expect(Subsampling.pandas(Array(0..<100), fraction: 0.1) == [83, 53, 70, 45, 44, 39, 22, 80, 10, 0])
    #expect([25, 35, 15].map { Subsampling.pandas(Array(0..<$0), fraction: 0.1).count } == [2, 4, 2])
  }

  @Test func pythonVectors() {
    #expect(Subsampling.python(Array(0..<100), fraction: 0.1) == [81, 14, 3, 94, 35, 31, 28, 17, 13, 86])
    #expect(Subsampling.python(Array(0..<20_000), fraction: 5.0 / 20_000) == [3648, 819, 9012, 8024, 7314])
  }
}

@Suite struct BatchScheduleTests {
  private let schedule = BatchSchedule(
    sampleCount: 23, batchSize: 3, rankCount: 2, accumulation: 2, key: .init(seed: 1))

  @Test func everyEpochIsAPermutationOfItsOwn() {
    #expect(schedule.order(ofEpoch: 0).sorted() == Array(0..<23))
    #expect(schedule.order(ofEpoch: 0) == schedule.order(ofEpoch: 0))
    #expect(schedule.order(ofEpoch: 0) != schedule.order(ofEpoch: 1))
  }

  @Test func wholeBatchesAndAShortLastGroup() {
    #expect(schedule.batchesPerEpoch == 3)
    #expect(schedule.stepsPerEpoch == 2)
    #expect(schedule.batches(ofStep: 0).count == 4)
    #expect(schedule.batches(ofStep: 1).count == 2)
    let used = (0..<2).flatMap { schedule.batches(ofStep: $0).flatMap(\.indices) }
    #expect(Set(used).count == used.count)
    #expect(schedule.batches(ofStep: 2).first?.epoch == 1)
  }
}
