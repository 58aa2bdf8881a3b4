import Foundation
import Testing

/// `cleft probe` on a tiny run over synthetic radiographs.
@Suite(.serialized) struct ProbeTests {
  private struct Report: Decodable, Equatable {
    struct Draw: Decodable, Equatable { let pictures, patients: Int }
    struct Metric: Decodable, Equatable {
      let name: String
      let mean, chance: Double?
    }
    struct Row: Decodable, Equatable {
      let share, method: String
      let draws: [Draw]
      let metrics: [Metric]
    }
    let feature, question: String
    let width: Int
    let classNames: [String]
    let rows: [Row]
  }

  /// A run of two steps.
  private static let run: String = {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--max_steps", "2", "--model", "tiny", "--image_size",
        "56",
        "--batch_size", "8", "--devices", "1", "--warm_up", "1", "--experiment_name", "probed",
      ], in: folder)
    precondition(result?.status == 0, "train: \(result?.errors ?? "")")
    let logs = folder + "/logs/CLEFT"
    let runs = (try? FileManager.default.contentsOfDirectory(atPath: logs)) ?? []
    return "\(logs)/\(runs.first ?? "")"
  }()

  private let quick = ["--five_cls", "--bootstrap", "100", "--repeats", "2", "--num_workers", "2"]

  private func probe(_ arguments: [String], in folder: String? = nil) throws -> Tool.Result {
    try Tool.run(["probe", Self.run] + arguments, in: try folder ?? Tool.scratch())
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
