import Foundation
import Testing

/// `cleft probe` on a tiny run over synthetic radiographs.
@Suite(.serialized) struct ProbeTests {
  private struct Report: Decodable, Equatable {
    struct Draw: Decodable, Equatable { let pictures, patients: Int }
    struct Metric: Decodable, Equatable {
      let name: String
      let mean, chance: Double?
      let note: String?
    }
    struct Part: Decodable, Equatable {
      let split: String
      let pictures: Int
      let classCounts: [Int]
    }
    struct Row: Decodable, Equatable {
      let share, method: String
      let draws: [Draw]
      let metrics: [Metric]
    }
    let feature, question: String
    let width: Int
    let classNames: [String]
    let parts: [Part]
    let rows: [Row]
    let notes: [String]
  }

  /// A run of two steps.
  private static let run = train([])

  private static func train(_ options: [String]) -> String {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--max_steps", "2", "--model", "tiny", "--image_size",
        "56",
        "--batch_size", "8", "--devices", "1", "--warm_up", "1", "--experiment_name", "probed",
      ] + options, in: folder)
    precondition(result?.status == 0, "train: \(result?.errors ?? "")")
    let logs = folder + "/logs/CLEFT"
    let runs = (try? FileManager.default.contentsOfDirectory(atPath: logs)) ?? []
    return "\(logs)/\(runs.first ?? "")"
  }

  private let quick = ["--five_cls", "--bootstrap", "100", "--repeats", "2", "--num_workers", "2"]

  private func probe(
    _ arguments: [String], of run: String = Self.run, in folder: String? = nil
  ) throws -> Tool.Result {
    try Tool.run(["probe", run] + arguments, in: try folder ?? Tool.scratch())
  }

  /// A row of a table of one's own: which picture of whom, its classes, and its split.
  private struct OwnRow {
    var picture: Int
    var who: String
    var classes: String
    var part: String
  }

  /// Pictures of sixteen people, half of each of two classes; the last four are the test set.
  private static var ownRows: [OwnRow] {
    (0..<16).map { index in
      OwnRow(
        picture: index, who: "p\(index)", classes: index % 2 == 0 ? "1,0" : "0,1",
        part: index < 10 ? "train" : index < 12 ? "valid" : "test")
    }
  }

  /// Writes a table, and gives the options that name it.
  private func own(_ rows: [OwnRow], in folder: String) throws -> [String] {
    let images = PipelineTests.data + "/CheXpert/CheXpert-v1.0/train"
    let patients = try FileManager.default.contentsOfDirectory(atPath: images).sorted()
    let lines = rows.map { row in
      "\(images)/\(patients[row.picture])/study1/view1_frontal.jpg,\(row.classes),\(row.who),\(row.part)"
    }
    let table = folder + "/own.csv"
    try (["image,mass,nodule,who,part"] + lines).joined(separator: "\n").write(
      toFile: table, atomically: true, encoding: .utf8)
    return [
      "--dataset", "manifest", "--train_csv", table, "--valid_csv", table, "--test_csv", table,
      "--split_column", "part", "--patient_column", "who", "--label_columns", "mass,nodule",
      "--fractions", "1", "--method", "ridge", "--bootstrap", "100",
    ]
  }

  @Test func picturesOfSeveralClassesAreLearnedFromOnlyOneByOne() throws {
    let folder = try Tool.scratch()
    var rows = Self.ownRows
    for index in [2, 5, 11] { rows[index].classes = "1,1" }
    let options = try own(rows, in: folder) + ["--json"]
    let result = try probe(options, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.parts.map(\.pictures) == [8, 1, 4] && report.parts[0].classCounts == [4, 4])
    let note =
      "2 training and 1 validation picture(s) with several classes left out; --multi_label asks each class"
    #expect(report.notes.first?.hasPrefix(note) == true && result.errors.contains(note))
    let each = try probe(options + ["--multi_label"], in: folder)
    try #require(each.status == 0, "\(each.errors)")
    let asked = try JSONDecoder().decode(Report.self, from: Data(each.output.utf8))
    #expect(asked.parts.map(\.pictures) == [10, 2, 4] && asked.parts[0].classCounts == [6, 6])
    #expect(!asked.notes.contains { $0.contains("several classes") })
  }

  @Test func nothingIsLearnedFromTestPicturesAndPatients() throws {
    let folder = try Tool.scratch()
    var rows = Self.ownRows
    (rows[3].who, rows[10].who, rows[4].picture) = ("p12", "p15", 13)
    let result = try probe(try own(rows, in: folder) + ["--json"], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.parts.map(\.pictures) == [8, 1, 4])
    let note = "2 training and 1 validation picture(s) left out, which the test set has too"
    #expect(report.notes.contains { $0.hasPrefix(note) } && result.errors.contains(note))
    #expect(!result.errors.contains("in more than one split"))
    // With nothing left there is no probe.
    for index in 0..<10 { rows[index].who = "p12" }
    let none = try probe(try own(rows, in: folder), in: folder)
    #expect(none.status == 65 && none.errors.contains("pictures of other patients"), "\(none.errors)")
    // Without validation pictures there are folds.
    rows = Self.ownRows
    for index in 10..<12 { rows[index].who = "p12" }
    let folds = try probe(try own(rows, in: folder), in: folder)
    #expect(folds.status == 0 && folds.errors.contains("no validation picture is left"), "\(folds.errors)")
    #expect(folds.errors.contains("folds over the training patients"))
  }

  @Test func whyANumberHasNoIntervalStaysWithIt() throws {
    let folder = try Tool.scratch()
    var rows = Self.ownRows
    rows[14].classes = "0,1"
    let result = try probe(try own(rows, in: folder) + ["--json"], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    let auc = try #require(report.rows.first?.metrics.first { $0.name == "auc" })
    #expect(auc.mean != nil && auc.note?.contains("no interval") == true)
    #expect(!report.notes.contains { $0.contains("no interval") } && !result.errors.contains("no interval"))
    // A number that there is not is said.
    for index in 12..<16 { rows[index].classes = "1,0" }
    let undefined = try probe(try own(rows, in: folder), in: folder)
    #expect(undefined.errors.contains("one class only"), "\(undefined.errors)")
  }

  @Test func withoutTestPicturesThereIsOneReason() throws {
    let folder = try Tool.scratch()
    let rows = Self.ownRows.filter { $0.part != "test" }
    let result = try probe(try own(rows, in: folder), in: folder)
    #expect(result.status == 78 && result.errors.contains("the test set: no row of"), "\(result.errors)")
    #expect(!result.errors.contains("final weights"))
  }

  @Test func aClassifierOfSeveralClassesIsProbedOnEach() throws {
    let run = Self.train(["--img_cls_ft", "--five_cls", "--multi_label_loss"])
    let result = try probe(["--fractions", "1", "--method", "ridge", "--bootstrap", "0"], of: run)
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("5 classes asked one by one"))
    #expect(result.errors.contains("--multi_label_loss: probes ask each class"))
    #expect(!result.errors.contains("several classes"))
  }

  @Test func aRunIsProbedOnSharesAndShots() throws {
    let folder = try Tool.scratch()
    let arguments = quick + ["--fractions", "0.5,1", "--shots", "1", "--out", "probes", "--json"]
    let result = try probe(arguments, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    #expect(report.classNames.count == 5 && report.question == "one_of" && report.feature == "backbone")
    let names = report.rows.map { "\($0.share) \($0.method)" }
    #expect(
      names == [
        "50 % logistic", "50 % ridge", "100 % logistic", "100 % ridge", "1-shot logistic", "1-shot ridge",
      ])
    #expect(report.rows.map(\.draws.count) == [2, 2, 1, 1, 2, 2])
    let (half, all) = (report.rows[0].draws[0], report.rows[2].draws[0])
    #expect(half.patients < all.patients && half.pictures < all.pictures)
    for row in report.rows {
      let accuracy = try #require(row.metrics.first { $0.name == "accuracy" })
      let share = try #require(accuracy.mean)
      #expect((0...1).contains(share) && accuracy.chance == 0.2)
    }
    let stored = try Data(contentsOf: URL(fileURLWithPath: folder + "/probes/probe.json"))
    #expect(try JSONDecoder().decode(Report.self, from: stored) == report)
    let table = try String(contentsOfFile: folder + "/probes/probe.csv", encoding: .utf8)
    #expect(table.split(separator: "\n").count == 7 && table.hasPrefix("share,fraction,shots,method,"))
    // The same again, to the bit.
    let again = try probe(arguments, in: try Tool.scratch())
    #expect(again.output == result.output, "\(again.errors)")
  }

  @Test func embeddingsAndQuestionsByThemselvesAreProbedToo() throws {
    let result = try probe(
      [
        "--feature", "embedding", "--multi_label", "--fractions", "1", "--method", "ridge", "--bootstrap",
        "0",
      ])
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("linear probes of embedding features"))
    #expect(result.output.contains("14 classes asked one by one"))
    #expect(result.output.contains("chance") && result.output.contains("ridge"))
    #expect(!result.output.contains("logistic"))
  }

  @Test func nonsenseIsRefusedBeforeAnythingIsRead() throws {
    let refused: [(arguments: [String], word: String)] = [
      (["--fractions", "0"], "--fractions"), (["--fractions", "1.5"], "above 0 up to 1"),
      (["--fractions", ""], "--shots"), (["--shots", "2.5"], "--shots"), (["--method", "svm"], "logistic"),
      (["--feature", "text"], "feature"), (["--repeats", "0"], "--repeats"),
      (["--data_pct", "0.5"], "--fractions"), (["--bootstrap", "3"], "--bootstrap"),
    ]
    for (arguments, word) in refused {
      let result = try probe(arguments)
      #expect(result.status == 64 && result.errors.contains(word), "\(arguments): \(result.errors)")
    }
    let nothing = try Tool.run(["probe"])
    #expect(nothing.status == 64 && nothing.errors.contains("run or checkpoint folder"))
  }

  @Test func trainingPicturesNeedClasses() throws {
    let folder = try Tool.scratch()
    let images = PipelineTests.data + "/CheXpert/CheXpert-v1.0/train"
    let patients = try FileManager.default.contentsOfDirectory(atPath: images).sorted().prefix(4)
    let rows = patients.map { "\(images)/\($0)/study1/view1_frontal.jpg,1,\($0)" }
    let table = folder + "/own.csv"
    try (["image,mass,who"] + rows).joined(separator: "\n").write(
      toFile: table, atomically: true, encoding: .utf8)
    let own = ["--dataset", "manifest", "--train_csv", table, "--test_csv", table, "--patient_column", "who"]
    let none = try probe(own, in: folder)
    #expect(none.status == 65 && none.errors.contains("no class"), "\(none.errors)")
    let one = try probe(own + ["--label_columns", "mass"], in: folder)
    #expect(one.status == 78 && one.errors.contains("--multi_label"), "\(one.errors)")
    let alike = try probe(own + ["--label_columns", "mass", "--multi_label"], in: folder)
    #expect(alike.status == 65 && alike.errors.contains("'mass'"), "\(alike.errors)")
  }

  @Test func everyOptionHasHelp() throws {
    let page = try Tool.run(["probe", "--help"])
    #expect(page.status == 0)
    for option in ["--fractions", "--shots", "--method", "--feature", "--repeats", "--bootstrap", "--out"] {
      #expect(page.output.contains(option))
    }
  }
}
