import CleftData
import CleftFormats
import Foundation
import Testing

@Suite struct PromptSetTests {
  private static let chest = "this is a chest x ray of a patient with "
  private let scratch: TableScratch

  init() throws {
    scratch = try TableScratch()
    let header = (["Path", "AP/PA"] + Finding.allCases.map(\.rawValue)).joined(separator: ",")
    let row = "v/a.jpg,AP,1" + String(repeating: ",", count: 13)
    for name in ["chexpert_5x200.csv", "train_cheXbert_clean_95.csv"] {
      try scratch.write("CheXpert/\(name)", "\(header)\n\(row)\n")
    }
    try scratch.write("CheXpert/CheXpert-v1.0/here", "")
  }

  private func chexpert(
    _ split: Split = .test, five: Bool = true, _ change: (inout DatasetRequest) -> Void = { _ in }
  ) throws -> ImageTextDataset {
    try CheXpert.open(
      scratch.request(split) {
        $0.usesFiveClasses = five
        change(&$0)
      })
  }

  /// A dataset with a file of prompts, of the classes `a` and `b`.
  private func own(
    _ prompts: String, asksEachClass: Bool = false, _ change: (inout DatasetRequest) -> Void = { _ in }
  ) throws -> ImageTextDataset {
    let file = try scratch.write("own.yaml", prompts)
    let table = try scratch.write("own.csv", "image,a,b\nx.png,1,0\n")
    return try Manifest.open(
      scratch.request(.test, table: table) {
        $0.manifest.labels = ["a", "b"]
        $0.promptFile = file
        $0.asksEachClass = asksEachClass
        change(&$0)
      })
  }

  private func message(_ body: () throws -> ImageTextDataset) -> String {
    do { _ = try body() } catch let error as any CleftError { return error.description } catch {}
    Issue.record("no error")
    return ""
  }

  @Test func pairsAreForQuestionsOfEachClass() throws {
    let sets = try chexpert(five: false) { $0.asksEachClass = true }.promptSets
    #expect(sets.map(\.name) == ["findings"] && sets[0].texts.count == 14)
    let names = Finding.allCases.map { $0.rawValue.lowercased() }
    #expect(sets[0].texts == names.map { [Self.chest + $0] })
    let against = names.dropLast().map { [Self.chest + "no " + $0] } + [[Self.chest + "abnormal findings"]]
    #expect(sets[0].negatives == against)
    // A class that is not among the five may have texts of its own.
    let five = try chexpert { $0.asksEachClass = true }.promptSets
    #expect(five[0].negatives?[3] == [Self.chest + "no pleural effusion"] && five.count == 1)
    let tuned = try chexpert {
      $0.asksEachClass = true
      $0.isPromptTuning = true
    }.promptSets
    #expect(tuned.map(\.name) == ["findings"] && tuned[0].texts[1] == ["edema"])
    #expect(tuned[0].negatives?[1] == ["no edema"])
    #expect(try chexpert().promptSets.map(\.name) == ["published"])
  }

  @Test func pairsOfAManifest() throws {
    let table = try scratch.write("m.csv", "image,edema\nx.png,1\n")
    func sets(_ isPromptTuning: Bool) throws -> [PromptSet] {
      try Manifest.open(
        scratch.request(.test, table: table) {
          $0.manifest.labels = ["edema"]
          $0.asksEachClass = true
          $0.isPromptTuning = isPromptTuning
        }
      ).promptSets
    }
    let prefix = "this is an image of a patient with "
    #expect(
      try sets(false)
        == [PromptSet(name: "findings", texts: [[prefix + "edema"]], negatives: [[prefix + "no edema"]])])
    #expect(try sets(true) == [PromptSet(name: "findings", texts: [["edema"]], negatives: [["no edema"]])])
  }

  @Test func classesThatExcludeEachOtherAreOneQuestion() throws {
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request()
    request.asksEachClass = true
    #expect(
      message { try EMBED.open(request) }
        == "--multi_label: with --dataset embed; expected classes that a picture may have several of. Leave it out: "
        + "a picture has one BI-RADS category.")
    request.predictsDensity = true
    #expect(message { try EMBED.open(request) }.hasSuffix("a picture has one density."))
    let text = message { try RSNA.open(scratch.request(.test) { $0.asksEachClass = true }) }
    #expect(text.hasPrefix("--multi_label: with --dataset rsna;") && text.contains("and the same."))
  }

  /// All ways to write a set, in the order of the file.
  @Test func filesOfPrompts() throws {
    let text = """
      words: {classes: {b: "Big B"}}
      prompts:
        zeta: "Z {CLASS}"
        many: ["One {CLASS}", "two {CLASS}"]
        pair: {positive: "is {CLASS}", negative: ["no {CLASS}", "without {CLASS}"]}
        named:
          classes:
            a: [first, "second"]
            b: {positive: third}
        mixed: {positive: "for {CLASS}", classes: {a: "own"}}
        pairs:
          negative: healthy
          positive: ["has {CLASS}"]
          classes: {a: {negative: [no a, none]}, b: only b}
      """
    let plain = try own(text)
    #expect(
      plain.promptSets == [
        PromptSet(name: "zeta", prompts: ["z a", "z big b"]),
        PromptSet(name: "many", texts: [["one a", "two a"], ["one big b", "two big b"]]),
        PromptSet(name: "named", texts: [["first", "second"], ["third"]]),
        PromptSet(name: "mixed", prompts: ["own", "for big b"]),
      ])
    let file = "\(scratch.folder)/own.yaml"
    #expect(
      plain.notes == ["\(file): not scored: 'pair', 'pairs', with a negative (for --multi_label)"])
    let asked = try own(text, asksEachClass: true)
    #expect(
      asked.promptSets == [
        PromptSet(
          name: "pair", texts: [["is a"], ["is big b"]],
          negatives: [["no a", "without a"], ["no big b", "without big b"]]),
        PromptSet(
          name: "pairs", texts: [["has a"], ["only b"]], negatives: [["no a", "none"], ["healthy"]]),
      ])
    #expect(
      asked.notes.count == 1
        && asked.notes[0].contains("'zeta', 'many', 'named', 'mixed', without a negative"))
    #expect(try own(text) { $0.isPromptTuning = true }.promptSets == plain.promptSets)
  }

  @Test(arguments: [
    ("prompts: {x: \"{CLASS}\"}\nparts: {}", "own.yaml:2: unknown key 'parts'. Nearest: words, prompts"),
    ("prompts: {x: {positiv: y}}", "own.yaml:1: prompts: x: unknown key 'positiv'. Nearest: positive"),
    ("prompts:\n  x: {classes: {a: {pos: y}, b: z}}", "prompts: x: classes: a: unknown key 'pos'. Nearest"),
    (
      "prompts:\n  x: {classes: {aa: y}, positive: \"{CLASS}\"}",
      "own.yaml:2: prompts: x: classes: no class 'aa'. Nearest: a, b."
    ),
    (
      "words: {classes: {A: y}}\nprompts: {x: \"{CLASS}\"}",
      "own.yaml: words: classes: no class 'A'. Nearest: a, b."
    ),
    (
      "words: {class: {a: y}}\nprompts: {x: \"{CLASS}\"}",
      "own.yaml:1: words: unknown key 'class'. Nearest: classes."
    ),
    ("prompts:\n  x: {CLASS}", "own.yaml:2: prompts: x: a map; expected a text. Quote texts that start"),
    ("prompts:\n  x: []", "own.yaml:2: prompts: x: an empty list; expected at least one text"),
    ("prompts:\n  x: [a, [b]]", "own.yaml:2: prompts: x: a list; expected a text"),
    ("prompts:\n  x:\n    - \"{CLASS}\"\n    - \" \"", "own.yaml:4: prompts: x: no text; expected a text"),
    ("prompts:\n  x:", "prompts: x: no text; expected a text"),
    ("prompts:\n  x: \"{CLASS\"", "own.yaml:2: prompts: x: an open brace"),
    (
      "prompts:\n  x: \"{KLASS}\"",
      "own.yaml:2: prompts: x: no value {KLASS} for a prompt; expected one of {CLASS}."
    ),
    (
      "prompts:\n  x: the same",
      "own.yaml:2: prompts: x: 'the same' for both 'a' and 'b'; expected texts of its own"
    ),
    ("prompts:\n  x: {classes: {a: One, b: one}}", "prompts: x: 'one' for both 'a' and 'b'"),
    ("prompts:\n  x: [\"A {CLASS}\", \"a {CLASS}\"]", "prompts: x: 'a a' twice for 'a'; expected texts"),
    (
      "prompts:\n  x: {classes: {a: y}}",
      "own.yaml:2: prompts: x: no text for class 'b'; expected one for each"
    ),
    ("prompts: {x: {}}", "own.yaml:1: prompts: x: no text for class 'a'; expected one for each class."),
    ("prompts: {}", "own.yaml: prompts: no prompts; expected a text or a list"),
    ("", "own.yaml: prompts: no prompts; expected a text or a list"),
    ("prompts: [x]", "own.yaml:1: prompts: a list; expected a map"),
    (
      "prompts: {x: {positive: \"{CLASS}\", negative: \"no {CLASS}\"}}",
      "own.yaml: prompts: texts for and against each class; expected a text or a list of texts for each class. Pass --multi_label"
    ),
  ])
  func mistakesInFilesOfPrompts(_ yaml: String, _ expected: String) throws {
    let text = message { try own(yaml) }
    #expect(text.contains(expected), "\(text)")
    #expect(!text.contains("\n"))
  }

  @Test(arguments: [
    (
      "prompts: {x: \"{CLASS}\"}",
      "own.yaml: prompts: no texts against the classes; expected {positive: …, negative"
    ),
    (
      "prompts: {x: {positive: \"{CLASS}\", negative: \"{CLASS}\"}}",
      "prompts: x: 'a' both for and against 'a'"
    ),
    ("prompts: {x: {positive: \"{CLASS}\", negative: [n, N]}}", "prompts: x: 'n' twice against 'a'"),
    ("prompts: {x: {negative: \"no {CLASS}\"}}", "prompts: x: no text for class 'a'"),
    (
      "prompts:\n  x: {positive: \"{CLASS}\", classes: {b: {negative: n}}}",
      "own.yaml:2: prompts: x: no text against class 'a'"
    ),
  ])
  func mistakesInPairs(_ yaml: String, _ expected: String) throws {
    let text = message { try own(yaml, asksEachClass: true) }
    #expect(text.contains(expected), "\(text)")
  }

  @Test func aMissingFileOfPromptsIsMissing() throws {
    let error = #expect(throws: DataError.self) { try chexpert { $0.promptFile = "/nowhere/own.yaml" } }
    #expect(error?.exitStatus == .missingInput && error?.problem.location == "/nowhere/own.yaml")
  }

  /// Captions are made with the dataset's own words, prompts with the file's in front of them.
  @Test func captionsAreNotTouched() throws {
    let captions = try scratch.write(
      "captions.yaml",
      """
      parts: {p: "{POSITIVES}"}
      captions: {published: [p]}
      prompts: {published: "{CLASS}"}
      words: {classes: {Enlarged Cardiomediastinum: wide mediastinum, Edema: wet lung}}
      clean: none
      """)
    let prompts = try scratch.write(
      "own.yaml", "prompts: {x: \"{CLASS}\"}\nwords: {classes: {Enlarged Cardiomediastinum: mediastinum}}")
    let dataset = try chexpert(.train, five: false) {
      $0.captionFile = captions
      $0.promptFile = prompts
    }
    #expect(dataset.samples[0].caption == "wide mediastinum")
    #expect(dataset.promptSets.map(\.name) == ["x"])
    #expect(
      dataset.promptSets[0].prompts.first == "mediastinum" && dataset.promptSets[0].prompts[4] == "wet lung")
  }

  @Test func ensemblesAmongCaptionTexts() throws {
    let captions = try scratch.write(
      "captions.yaml",
      """
      parts: {p: "x {POSITIVES}"}
      captions: {published: [p], prompt_ft: [p]}
      prompts:
        published: ["{CLASS}", "some {CLASS}"]
        asked: {positive: "{CLASS}", negative: "no {CLASS}"}
        also: {positive: "any {CLASS}", negative: "none"}
      """)
    let plain = try chexpert { $0.captionFile = captions }
    #expect(plain.promptSets.map(\.name) == ["published"])
    #expect(plain.promptSets[0].texts[1] == ["edema", "some edema"] && !plain.promptSets[0].isPlain)
    let asked = try chexpert {
      $0.captionFile = captions
      $0.asksEachClass = true
    }
    #expect(asked.promptSets.map(\.name) == ["also", "asked"])
    let tuned = message {
      try chexpert {
        $0.captionFile = captions
        $0.asksEachClass = true
        $0.isPromptTuning = true
      }
    }
    #expect(tuned.contains("prompts: no 'findings_prompt_ft'. Nearest: "))
    let templates = try CaptionTemplates(file: captions)
    let error = #expect(throws: DataError.self) { try templates.prompt("published", ["CLASS": "x"]) }
    #expect(error?.description.contains("prompts: published: several texts; expected one text") == true)
    try scratch.write("captions.yaml", "captions: {published: []}\nprompts: {published: \"{CLASS}\"}")
    let none = message {
      try chexpert {
        $0.captionFile = captions
        $0.asksEachClass = true
      }
    }
    #expect(none.contains("captions.yaml: prompts: no texts against the classes; expected {positive"))
  }

  @Test func filesOfPromptsForTheOtherDatasets() throws {
    try scratch.write("RSNA Pneumonia/stage_2_test_balance.csv", "patientId,Target\na,0\n")
    try scratch.write("RSNA Pneumonia/stage_2_train_images/here", "")
    let file = try scratch.write(
      "rsna.yaml", "prompts: {b: \"B {CLASS}\", a: {classes: {no finding: clear, pneumonia: [dense, x]}}}")
    let rsna = try RSNA.open(scratch.request(.test) { $0.promptFile = file })
    #expect(
      rsna.promptSets == [
        PromptSet(name: "b", prompts: ["b no findings", "b pneumonia"]),
        PromptSet(name: "a", texts: [["clear"], ["dense", "x"]]),
      ])
    let folder = try EMBEDFolder([EMBEDFolder.picture("a.dcm")])
    defer { folder.remove() }
    var request = folder.request()
    request.promptFile = try scratch.write(
      "embed.yaml",
      "prompts: {mine: [\"{BIRADS} {BIRADS_DESC}\", \"{CLASS}!\"]}\nwords: {birads: {A: more, N: nothing}}")
    let embed = try EMBED.open(request)
    #expect(embed.promptSets.map(\.name) == ["mine"])
    #expect(embed.promptSets[0].texts[0] == ["0 more", "more!"])
    #expect(embed.promptSets[0].texts[4] == ["4 suspicious abnormality", "suspicious abnormality!"])
    #expect(embed.classNames[0] == "additional imaging required")
    request.predictsDensity = true
    #expect(
      message { try EMBED.open(request) }.contains(
        "no value {BIRADS} for a prompt; expected one of {CLASS}, {DENSITY}"))
  }

  /// The file that users are shown, for both questions and both numbers of classes.
  @Test(arguments: [true, false]) func theShippedEnsembles(_ five: Bool) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = root.appendingPathComponent("Configs/prompts/chexpert-ensemble.yaml").path
    let plain = try chexpert(five: five) { $0.promptFile = file }
    #expect(plain.promptSets.map(\.name) == ["ensemble", "published"])
    #expect(plain.promptSets[0].texts.allSatisfy { $0.count >= 3 })
    #expect(plain.promptSets[1].prompts == (try chexpert(five: five)).promptSets[0].prompts)
    let asked = try chexpert(five: five) {
      $0.promptFile = file
      $0.asksEachClass = true
    }
    #expect(asked.promptSets.map(\.name) == ["pairs", "pair"])
    let shipped = try chexpert(five: five) { $0.asksEachClass = true }.promptSets[0]
    #expect(asked.promptSets[1].texts == shipped.texts && asked.promptSets[1].negatives == shipped.negatives)
  }
}
