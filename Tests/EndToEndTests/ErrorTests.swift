import Foundation
import Testing

/// What a user can get wrong ends in one line and the documented exit code.
@Suite struct ErrorTests {
  private let tiny = [
    "train", "--model", "tiny", "--image_size", "56", "--devices", "1", "--warm_up", "0", "--max_steps", "1",
    "--batch_size", "4",
  ]

  /// The one line of an error, without progress and notices.
  private func line(_ result: Tool.Result) -> String {
    result.errors.split(separator: "\n").filter { $0.hasPrefix("cleft: error: ") || $0.hasPrefix("Error: ") }
      .joined(separator: "\n")
  }

  private func copyOfData() throws -> String {
    let folder = try Tool.scratch() + "/data"
    try FileManager.default.copyItem(atPath: PipelineTests.data, toPath: folder)
    return folder
  }

  @Test func absentData() throws {
    let result = try Tool.run(tiny + ["--data_dir", "/no/such/place"], in: Tool.scratch())
    #expect(result.status == 66)
    #expect(line(result).contains("/no/such/place/CheXpert") && line(result).contains("cleft synth"))
  }

  @Test func absentWeightsNameTheCommandThatFetchesThem() throws {
    let result = try Tool.run(
      ["train", "--data_dir", PipelineTests.data, "--warm_up", "0"], in: Tool.scratch())
    #expect(result.status == 66)
    #expect(line(result).contains("dinov2_vitb14_reg") && line(result).contains("torch.hub"))
  }

  @Test func unknownFlagAndBadValue() throws {
    let unknown = try Tool.run(["train", "--lerning_rate", "1"])
    #expect(unknown.status == 64)
    #expect(unknown.errors.contains("--learning_rate"), "\(unknown.errors)")
    #expect(unknown.errors.split(separator: "\n").count == 1, "\(unknown.errors)")
    for arguments in [
      ["--batch_size", "1"], ["--learning_rate", "nan"], ["--data_pct", "2"], ["--precision", "64"],
      ["--ctx_length", "0"],
    ] {
      #expect(try Tool.run(["train"] + arguments).status == 64, "\(arguments)")
    }
  }

  @Test func hyphensAreAcceptedForUnderscores() throws {
    let result = try Tool.run(["train", "--batch-size=5", "--max-steps", "7", "--print-config"])
    #expect(result.status == 0)
    #expect(result.output.contains("batch_size: 5\n") && result.output.contains("max_steps: 7\n"))
  }

  @Test func aPrintedConfigurationReproducesItself() throws {
    let folder = try Tool.scratch()
    let first = try Tool.run([
      "train", "--batch_size", "5", "--linear_proj", "--experiment_name", "a \"b\"", "--print_config",
    ])
    try first.output.write(toFile: folder + "/c.yaml", atomically: true, encoding: .utf8)
    #expect(try Tool.run(["train", "--config", folder + "/c.yaml", "--print_config"]).output == first.output)
    #expect(!first.output.contains("print_config"), "the file trains, it does not print again")
    let typed = try Tool.run(["train", "--config", folder + "/c.yaml", "--batch_size", "9", "--print_config"])
    #expect(typed.output.contains("batch_size: 9\n"), "what is typed wins over the file")
    try "btch_size: 3\n".write(toFile: folder + "/bad.yaml", atomically: true, encoding: .utf8)
    #expect(try Tool.run(["train", "--config", folder + "/bad.yaml"]).status == 64)
  }

  @Test func batchLargerThanTheData() throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(tiny + ["--data_dir", PipelineTests.data, "--batch_size", "5000"], in: folder)
    #expect(result.status == 78)
    #expect(line(result).contains("5000") && line(result).contains("at most"))
    #expect(
      !FileManager.default.fileExists(atPath: folder + "/logs/CLEFT"),
      "no run is started before all is checked")
  }

  @Test func sizesThatCannotBe() throws {
    let long = try Tool.run(
      tiny + ["--data_dir", PipelineTests.data, "--prompt_ft", "--ctx_length", "120"], in: Tool.scratch())
    #expect(long.status == 78)
    #expect(line(long).contains("128 positions together"))
    let odd = try Tool.run(
      tiny + ["--data_dir", PipelineTests.data, "--image_size", "57"], in: Tool.scratch())
    #expect(odd.status == 78)
    #expect(line(odd).contains("57"))
  }

  @Test func absentPicturesAreCountedBeforeTheFirstStep() throws {
    let data = try copyOfData()
    let images = data + "/CheXpert/CheXpert-v1.0/train"
    for name in try FileManager.default.contentsOfDirectory(atPath: images).sorted().prefix(3) {
      try FileManager.default.removeItem(atPath: "\(images)/\(name)")
    }
    let folder = try Tool.scratch()
    let result = try Tool.run(tiny + ["--data_dir", data], in: folder)
    #expect(result.status == 66)
    #expect(line(result).contains(".csv:2") && line(result).contains("other rows"))
    #expect(!FileManager.default.fileExists(atPath: folder + "/logs"))
  }

  @Test func aTableWithoutUsableRows() throws {
    let data = try copyOfData()
    let table = data + "/CheXpert/train_cheXbert_clean_95.csv"
    let text = try String(contentsOfFile: table, encoding: .utf8)
    try text.replacing(",AP,", with: ",,").replacing(",PA,", with: ",,")
      .write(toFile: table, atomically: true, encoding: .utf8)
    let result = try Tool.run(tiny + ["--data_dir", data], in: Tool.scratch())
    #expect(result.status == 65)
    #expect(line(result).contains("not frontal"))
  }

  @Test func aTableWithoutAColumn() throws {
    let data = try copyOfData()
    let table = data + "/CheXpert/train_cheXbert_clean_95.csv"
    let text = try String(contentsOfFile: table, encoding: .utf8).replacing(
      "Pleural Effusion", with: "Effusion")
    try text.write(toFile: table, atomically: true, encoding: .utf8)
    let result = try Tool.run(tiny + ["--data_dir", data], in: Tool.scratch())
    #expect(result.status == 65)
    #expect(
      line(result).contains("train_cheXbert_clean_95.csv:1") && line(result).contains("'Pleural Effusion'"))
  }

  @Test func aTruncatedPictureIsNamedWithItsRow() throws {
    let data = try copyOfData()
    let images = data + "/CheXpert/CheXpert-v1.0/train"
    for name in try FileManager.default.contentsOfDirectory(atPath: images) {
      let path = "\(images)/\(name)/study1/view1_frontal.jpg"
      try Data(contentsOf: URL(fileURLWithPath: path)).prefix(900).write(to: URL(fileURLWithPath: path))
    }
    let result = try Tool.run(tiny + ["--data_dir", data], in: Tool.scratch())
    #expect(result.status == 65)
    #expect(line(result).contains(".csv:") && line(result).contains("view1_frontal.jpg"))
  }

  @Test func aCheckpointOfAnotherShapeAndADamagedOne() throws {
    let folder = try Tool.scratch()
    let trained = try Tool.run(tiny + ["--data_dir", PipelineTests.data, "--linear_proj"], in: folder)
    try #require(trained.status == 0, "\(trained.errors)")
    let run =
      folder + "/logs/CLEFT/"
      + (try FileManager.default.contentsOfDirectory(atPath: folder + "/logs/CLEFT")[0])
    let other = try Tool.run(
      tiny + [
        "--data_dir", PipelineTests.data, "--prompt_ft", "--emb_dim", "99", "--pretrained_encoder", run,
      ], in: folder)
    #expect(other.status == 78)
    #expect(line(other).contains("--emb_dim") && line(other).contains("128"))
    let resumed = try Tool.run(
      tiny + ["--data_dir", PipelineTests.data, "--linear_proj", "--seed", "7", "--resume_ckpt", run],
      in: folder)
    #expect(resumed.status == 78)
    #expect(line(resumed).contains("seed"))
    let weights = run + "/checkpoints/step-00000001/model.safetensors"
    var data = try Data(contentsOf: URL(fileURLWithPath: weights))
    data[data.count / 2] ^= 1
    try data.write(to: URL(fileURLWithPath: weights))
    let damaged = try Tool.run(["eval", run, "--data_dir", PipelineTests.data], in: folder)
    #expect(damaged.status == 65)
    #expect(line(damaged).contains("model.safetensors"))
    let absent = try Tool.run(["eval", folder + "/nothing", "--data_dir", PipelineTests.data], in: folder)
    #expect(absent.status == 66)
  }

  /// A full disk, stood in for by a limit on file sizes.
  @Test func aDiskThatRefusesLeavesNothingHalfWritten() throws {
    let folder = try Tool.scratch()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.arguments =
      ["-c", "ulimit -f 1000; trap '' XFSZ; exec \"$@\"", "bash", Tool.path] + tiny + [
        "--data_dir", PipelineTests.data,
      ]
    let err = Pipe()
    process.standardError = err
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let errors = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 74)
    #expect(errors.contains("model.safetensors") && errors.contains("Free space"), "\(errors)")
    let run =
      folder + "/logs/CLEFT/"
      + (try FileManager.default.contentsOfDirectory(atPath: folder + "/logs/CLEFT")[0])
    #expect(try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints").isEmpty)
  }

  @Test(arguments: [
    "train", "eval", "synth", "tokenizer", "tokenize", "preprocess", "prepare", "check-data", "captions",
    "parity", "runs", "quirks",
    "doctor",
  ])
  func everyCommandExplainsItself(_ command: String) throws {
    let result = try Tool.run([command, "--help"])
    #expect(result.status == 0)
    #expect(result.output.contains("USAGE: cleft \(command)"))
  }

  @Test func preprocessWritesWhatTheModelSees() throws {
    let folder = try Tool.scratch()
    let image = Tool.root.appendingPathComponent("Tests/Fixtures/images/gray8_tall.png").path
    let result = try Tool.run([
      "preprocess", image, "--out", folder + "/x.safetensors", "--png", folder + "/png",
    ])
    #expect(result.status == 0)
    #expect(
      try FileManager.default.attributesOfItem(atPath: folder + "/x.safetensors")[.size] as? Int ?? 0
        > 600_000)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/png").count == 1)
    #expect(try Tool.run(["preprocess", folder + "/none.png", "--out", folder + "/y"]).status == 66)
  }
}
