import CleftFormats
import Foundation
import Testing

/// What an evaluation asks, finds and writes.
@Suite(.serialized) struct EvaluationTests {
  /// A pair trained for two steps, in a folder of its own.
  static let run: String = {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--model", "tiny", "--image_size", "56", "--batch_size",
        "8", "--devices", "1", "--warm_up", "1", "--max_steps", "2", "--five_cls", "--linear_proj",
        "--pool_feat", "--examples", "1", "--bootstrap", "100",
      ], in: folder)
    precondition(result?.status == 0, "train: \(result?.errors ?? "")")
    return "\(folder)/logs/CLEFT/\(FileSystem.list(folder + "/logs/CLEFT").last ?? "")"
  }()

  private let quick = ["--bootstrap", "100", "--examples", "1"]

  private func evaluate(_ options: [String], _ path: String = Self.run, in folder: String? = nil) throws
    -> Tool.Result
  {
    try Tool.run(["eval", path] + quick + options, in: try folder ?? Tool.scratch())
  }

  private func object(_ path: String) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: try FileSystem.read(path)) as? [String: Any], "\(path)")
  }

  private func first(_ report: [String: Any]) throws -> [String: Any] {
    try #require((report["scores"] as? [[String: Any]])?.first)
  }

  /// The numbers of a scorecard by name.
  private func metrics(_ report: [String: Any]) throws -> [String: [String: Any]] {
    let card = try #require(try first(report)["card"] as? [String: Any])
    let metrics = try #require(card["metrics"] as? [[String: Any]])
    return Dictionary(metrics.map { ($0["name"] as? String ?? "", $0) }) { $1 }
  }

  @Test func aTrainingEndsWithAReportInItsFolder() throws {
    for name in ["report.html", "metrics.json", "predictions.csv"] {
      #expect(FileSystem.exists("\(Self.run)/\(name)"), "\(name)")
    }
    let report = try object(Self.run + "/metrics.json")
    #expect(report["count"] as? Int == 15)
    let page = String(decoding: try FileSystem.read(Self.run + "/report.html"), as: UTF8.self)
    #expect(
      page.contains("This is a chest X ray of a patient with") || page.contains("this is a chest x ray"))
  }

  @Test func anEvaluationNeedsNothingButTheRun() throws {
    let folder = try Tool.scratch()
    let result = try evaluate(["--out", folder + "/out"])
    try #require(result.status == 0, "\(result.errors)")
    let (own, again) = (try object(Self.run + "/metrics.json"), try object(folder + "/out/metrics.json"))
    #expect(try metrics(own)["auc"]?["value"] as? Double == metrics(again)["auc"]?["value"] as? Double)
    #expect((own["classNames"] as? [String])?.count == 5)
    // A checkpoint carries what is needed to any place.
    let step = try #require(FileSystem.list(Self.run + "/checkpoints").first { $0.hasPrefix("step-") })
    try FileManager.default.copyItem(atPath: "\(Self.run)/checkpoints/\(step)", toPath: folder + "/alone")
    let alone = try evaluate(["--out", folder + "/second"], folder + "/alone", in: folder)
    try #require(alone.status == 0, "\(alone.errors)")
    #expect(alone.output == result.output)
    let files = ["predictions.csv"].map { try? FileSystem.read("\(folder)/out/\($0)") }
    #expect(files == ["predictions.csv"].map { try? FileSystem.read("\(folder)/second/\($0)") })
  }

  @Test func everyNumberHasItsChanceLevelAndAnIntervalOrTheReasonWhyNot() throws {
    let metrics = try metrics(try object(Self.run + "/metrics.json"))
    for name in ["accuracy", "balanced_accuracy", "auc", "average_precision"] {
      let metric = try #require(metrics[name], "\(name)")
      #expect(metric["chance"] as? Double != nil, "\(name)")
      guard let interval = metric["interval"] as? [String: Double] else {
        let note = metric["note"] as? String
        #expect(name != "accuracy" && note?.hasSuffix("no interval") == true, "\(name): \(metric)")
        continue
      }
      let value = try #require(metric["value"] as? Double)
      let (lower, upper) = (try #require(interval["lower"]), try #require(interval["upper"]))
      #expect(lower <= upper && lower <= value + 1e-9 && value <= upper + 1e-9, "\(name): \(metric)")
    }
    #expect(metrics["accuracy"]?["chance"] as? Double == 0.2)
  }

  @Test func predictionsHoldEveryPictureAndSumToOne() throws {
    let table = try CSVTable(Self.run + "/predictions.csv")
    #expect(table.rows.count == 15)
    let columns = table.columns.indices.filter { table.columns[$0].hasPrefix("p:") }
    #expect(columns.count == 5)
    for row in table.rows {
      let sum = columns.compactMap { Double(row[$0]) }.reduce(0, +)
      #expect(abs(sum - 1) < 1e-9)
    }
    #expect(Set(table.rows.map { $0[0] }).count == 15)
    let sex = try #require(table.columns.firstIndex(of: "trait:sex"))
    #expect(Set(table.rows.map { $0[sex] }).isSubset(of: ["F", "M"]))
  }

  @Test func anEvaluationBesideItselfDiffersInNothing() throws {
    let folder = try Tool.scratch()
    let result = try evaluate(["--out", folder + "/out", "--compare", Self.run])
    // The run's own page lies in it, but an evaluation under eval/ would come first.
    try #require(result.status == 0, "\(result.errors)")
    let report = try object(folder + "/out/metrics.json")
    let comparison = try #require(report["comparison"] as? [String: Any])
    #expect(comparison["count"] as? Int == 15)
    let differences = try #require(comparison["differences"] as? [[String: Any]])
    for one in differences where one["difference"] != nil {
      #expect(one["difference"] as? Double == 0 && (one["p"] as? Double ?? 1) == 1, "\(one)")
    }
    #expect(differences.contains { $0["p"] as? Double == 1 })
    // Paths may be written from another folder: what tells the pictures apart is the same.
    let text = String(decoding: try FileSystem.read(folder + "/out/predictions.csv"), as: UTF8.self)
    let moved = text.replacing(PipelineTests.data, with: "elsewhere")
    #expect(moved != text)
    try FileSystem.write(Data(moved.utf8), to: folder + "/moved.csv")
    let again = try evaluate(["--no_report", "--compare", folder + "/moved.csv"])
    #expect(again.status == 0 && again.output.contains("15 pictures"), "\(again.errors)")
    let absent = try evaluate(["--compare", folder + "/nothing"])
    #expect(absent.status == 66 && absent.errors.contains("--compare"))
    let other = try evaluate(["--rsna", "--compare", folder + "/out"])
    #expect(other.status == 65 && other.errors.contains("classes"), "\(other.errors)")
  }

  @Test func fourteenFindingsAreFourteenQuestions() throws {
    let folder = try Tool.scratch()
    let result = try evaluate(["--multi_label", "--five_cls=false", "--out", folder + "/out"])
    try #require(result.status == 0, "\(result.errors)")
    let report = try object(folder + "/out/metrics.json")
    #expect(report["question"] as? String == "each" && (report["classNames"] as? [String])?.count == 14)
    let scores = try first(report)
    #expect((scores["negatives"] as? [[String]])?.count == 14 && (scores["counts"] as? [Any])?.count == 14)
    #expect(scores["confusion"] == nil)
    // Test pictures have five of the findings: of the others no AUC can be told.
    let card = try #require(scores["card"] as? [String: Any])
    let classes = try #require(card["classes"] as? [[String: Any]])
    let undefined = classes.filter { ($0["positiveCount"] as? Int) == 0 }
    #expect(undefined.count == 9)
    for one in undefined {
      let auc = (one["metrics"] as? [[String: Any]])?.first { $0["name"] as? String == "auc" }
      #expect(auc?["value"] == nil && auc?["note"] != nil, "\(one)")
    }
    #expect(result.output.contains("undefined"))
  }

  @Test func promptsOfAFileAreScoredInItsOrder() throws {
    let folder = try Tool.scratch()
    let file = folder + "/prompts.yaml"
    let yaml = """
      prompts:
        second thoughts: ["a radiograph with {CLASS}", "signs of {CLASS}"]
        plain: "{CLASS}"

      """
    try FileSystem.write(Data(yaml.utf8), to: file)
    let result = try evaluate(["--prompts", file, "--out", folder + "/out"])
    try #require(result.status == 0, "\(result.errors)")
    let report = try object(folder + "/out/metrics.json")
    let scores = try #require(report["scores"] as? [[String: Any]])
    #expect(scores.map { $0["prompts"] as? String } == ["second thoughts", "plain"])
    let texts = try #require(scores[0]["texts"] as? [[String]])
    #expect(texts.count == 5 && texts.allSatisfy { $0.count == 2 })
    let page = String(decoding: try FileSystem.read(folder + "/out/report.html"), as: UTF8.self)
    #expect(page.contains(texts[0][1]))
  }

  @Test func thresholdsAreChosenOnValidationPicturesOnly() throws {
    let folder = try Tool.scratch()
    let result = try evaluate(["--out", folder + "/with"])
    try #require(result.status == 0, "\(result.errors)")
    let validation = try object(folder + "/with/metrics.json")["validation"] as? String
    #expect(validation?.contains("exactly one class") == true, "\(validation ?? "")")
    let without = try evaluate(["--threshold_pictures", "0", "--out", folder + "/without"])
    try #require(without.status == 0, "\(without.errors)")
    let card = try #require(
      try first(try object(folder + "/without/metrics.json"))["card"] as? [String: Any])
    let classes = try #require(card["classes"] as? [[String: Any]])
    #expect(classes.allSatisfy { ($0["thresholds"] as? [Any])?.isEmpty == true })
    let calibration = card["calibration"] as? [String: Any]
    #expect(calibration != nil && calibration?["temperature"] == nil)
  }

  @Test func withoutAReportNothingIsWritten() throws {
    let folder = try Tool.scratch()
    let copy = folder + "/run"
    try FileManager.default.copyItem(atPath: Self.run, toPath: copy)
    FileSystem.remove(copy + "/eval")
    let result = try evaluate(["--no_report", "--rsna"], copy, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    #expect(!FileSystem.exists(copy + "/eval"))
    #expect(try evaluate(["--no_report", "--out", "x"]).status == 64)
    #expect(try evaluate(["--bootstrap", "5"]).status == 64)
    let usual = try evaluate(["--rsna"], copy, in: folder)
    try #require(usual.status == 0, "\(usual.errors)")
    #expect(FileSystem.exists(copy + "/eval/rsna/report.html"))
    #expect(usual.output == result.output)
    // Another question has a folder of its own; the same one takes its place and says so.
    let all = try evaluate(["--five_cls=false", "--multi_label"], copy, in: folder)
    try #require(all.status == 0, "\(all.errors)")
    #expect(FileSystem.exists(copy + "/eval/chexpert-5x200-14-findings-multi-label/report.html"))
    #expect(try evaluate(["--rsna"], copy, in: folder).errors.contains("is replaced"))
  }

  @Test func thresholdsAreNeverChosenOnTheTestPictures() throws {
    let folder = try Tool.scratch()
    let table = PipelineTests.data + "/CheXpert/chexpert_5x200.csv"
    let result = try evaluate(["--valid_csv", table, "--out", folder + "/out"])
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("15 pictures of \(table) are in the test set"), "\(result.errors)")
    let validation = try object(folder + "/out/metrics.json")["validation"] as? String
    #expect(validation?.hasPrefix("every picture of") == true, "\(validation ?? "")")
  }

  @Test func aDeviceIsNoPlaceForAFile() throws {
    let result = try evaluate(["--no_report", "--picture", "/dev/null"])
    #expect(result.status == 74 && result.errors.contains("no regular file"), "\(result.errors)")
    #expect(result.output.isEmpty, "it is found out before anything is scored")
  }
}
