import Foundation
import Testing

/// A user's own table of pictures: trained on, scored, with bad rows, prepared, and looked at.
@Suite(.serialized) struct OwnDataTests {
  private let training = [
    "--model", "tiny", "--image_size", "56", "--batch_size", "8", "--devices", "1", "--warm_up", "1",
    "--max_steps", "3", "--linear_proj", "--pool_feat", "--log_every", "1", "--num_workers", "2",
  ]

  /// Twenty-four synthetic radiographs with a table that no published program would know.
  private func manifest(_ folder: String) throws -> (table: String, pictures: [String]) {
    let images = PipelineTests.data + "/CheXpert/CheXpert-v1.0/train"
    let patients = try FileManager.default.contentsOfDirectory(atPath: images).sorted().prefix(24)
    var lines = ["file;report;opacity;effusion;who;part"]
    var pictures: [String] = []
    for (index, patient) in patients.enumerated() {
      let name = "\(index).jpg"
      try FileManager.default.copyItem(
        atPath: "\(images)/\(patient)/study1/view1_frontal.jpg", toPath: "\(folder)/\(name)")
      pictures.append("\(folder)/\(name)")
      let part = index < 12 ? "train" : index < 20 ? "val" : "test"
      lines.append(
        "\(name);\"Patient \(index); seen.\";\(index % 2);\(1 - index % 2);\(patient);\(part)")
    }
    let table = "\(folder)/own.csv"
    try lines.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
    return (table, pictures)
  }

  private func columns(_ table: String) -> [String] {
    [
      "--dataset", "manifest", "--train_csv", table, "--valid_csv", table, "--test_csv", table, "--separator",
      ";", "--image_column", "file", "--text_column", "report", "--label_columns", "opacity,effusion",
      "--patient_column", "who", "--split_column", "part",
    ]
  }

  private func run(_ folder: String) throws -> String {
    let logs = folder + "/logs/CLEFT"
    let runs = try FileManager.default.contentsOfDirectory(atPath: logs).sorted()
    return "\(logs)/\(try #require(runs.last))"
  }

  @Test func aTableOfOnesOwnIsTrainedOnAndScored() throws {
    let folder = try Tool.scratch()
    let (table, _) = try manifest(folder)
    let result = try Tool.run(
      ["train"] + columns(table) + training + ["--preview", "3"], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("training samples: 12") && result.errors.contains("validation samples: 8"))
    #expect(result.output.contains("4 pictures, zero-shot"))
    let run = try run(folder)
    #expect(FileManager.default.fileExists(atPath: run + "/preview.png"))
    // The run knows what it was trained on.
    let again = try Tool.run(["eval", run], in: folder)
    #expect(again.status == 0 && again.output == result.output, "\(again.errors)")
    // A column that is not there is named with its nearest neighbors.
    let wrong = try Tool.run(
      ["eval", run] + columns(table).map { $0 == "report" ? "raport" : $0 }, in: folder)
    #expect(wrong.status == 65 && wrong.errors.contains("raport") && wrong.errors.contains("report"))
  }

  @Test func badRowsStopARunOrAreSkippedAndListed() throws {
    let folder = try Tool.scratch()
    let (table, pictures) = try manifest(folder)
    try FileManager.default.removeItem(atPath: pictures[2])
    try Data(contentsOf: URL(fileURLWithPath: pictures[5])).prefix(900).write(
      to: URL(fileURLWithPath: pictures[5]))
    let stopped = try Tool.run(["train"] + columns(table) + training, in: folder)
    #expect(stopped.status == 66 || stopped.status == 65)
    #expect(stopped.errors.contains("own.csv:4") && stopped.errors.contains("--on_bad_row skip"))
    #expect(!FileManager.default.fileExists(atPath: folder + "/logs/CLEFT"))
    var weights: [Data] = []
    for _ in 0..<2 {
      let skipped = try Tool.run(
        ["train"] + columns(table) + training + ["--on_bad_row", "skip"], in: folder)
      try #require(skipped.status == 0, "\(skipped.errors)")
      #expect(skipped.errors.contains("training samples: 10"))
      #expect(skipped.errors.contains("2 bad row(s) skipped"))
      let run = try run(folder)
      let list = try FileManager.default.contentsOfDirectory(atPath: run).filter { $0.hasPrefix("skipped-") }
      let text = try String(contentsOfFile: "\(run)/\(try #require(list.first))", encoding: .utf8)
      #expect(text.contains("2.jpg") && text.contains("5.jpg") && text.split(separator: "\n").count == 3)
      weights.append(
        try Data(contentsOf: URL(fileURLWithPath: run + "/checkpoints/step-00000003/model.safetensors")))
    }
    #expect(weights[0] == weights[1])
  }

  @Test func preparedPicturesTrainToTheSameBits() throws {
    let folder = try Tool.scratch()
    let (table, pictures) = try manifest(folder)
    let prepared = try Tool.run(
      ["prepare", "--out", folder + "/prepared"] + columns(table), in: folder)
    try #require(prepared.status == 0, "\(prepared.errors)")
    var weights: [Data] = []
    for extra in [[], ["--prepared", folder + "/prepared"]] {
      let result = try Tool.run(["train"] + columns(table) + training + extra, in: folder)
      try #require(result.status == 0, "\(result.errors)")
      #expect(result.errors.contains("prepared pictures") == !extra.isEmpty)
      weights.append(
        try Data(
          contentsOf: URL(fileURLWithPath: try run(folder) + "/checkpoints/step-00000003/model.safetensors")))
    }
    #expect(weights[0] == weights[1])
    let verified = try Tool.run(
      ["prepare", "--verify", "--out", folder + "/prepared"] + columns(table), in: folder)
    #expect(verified.status == 0, "\(verified.errors)")
    // A source that changed behind the prepared file's back is noticed.
    try FileManager.default.removeItem(atPath: pictures[1])
    try FileManager.default.copyItem(atPath: pictures[2], toPath: pictures[1])
    let stale = try Tool.run(
      ["train"] + columns(table) + training + ["--prepared", folder + "/prepared"], in: folder)
    #expect(stale.status == 0 && stale.errors.contains("changed"))
  }
}
