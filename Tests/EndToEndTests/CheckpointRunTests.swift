import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Checkpoints of whole runs: small ones, damaged ones, refused ones, and those for the published program.
@Suite(.serialized) struct CheckpointRunTests {
  private let common = [
    "train", "--data_dir", PipelineTests.data, "--image_size", "56", "--devices", "1", "--warm_up", "0",
    "--batch_size", "4", "--num_workers", "1", "--linear_proj", "--pool_feat",
  ]
  private var tiny: [String] { common + ["--model", "tiny"] }

  private func run(_ folder: String) throws -> String {
    "\(folder)/logs/CLEFT/\(try #require(FileSystem.list(folder + "/logs/CLEFT").last))"
  }

  @Test func frozenTowersAreReadFromTheirFilesAgain() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    let towers = [
      "--img_encoder", image, "--text_model", text, "--img_heads", "4", "--emb_dim", "32", "--peft", "lora",
      "--max_steps", "1",
    ]
    let trained = try Tool.run(common + towers, in: folder)
    try #require(trained.status == 0, "\(trained.errors)")
    let checkpoint = try run(folder) + "/checkpoints/step-00000001"
    let key = "text_encoder_q.model.transformer.h.1.mlp.c_fc.weight"
    #expect(try SafeTensorsFile(checkpoint + "/model.safetensors").entries[key] == nil)
    let base = String(decoding: try FileSystem.read(checkpoint + "/base.json"), as: UTF8.self)
    #expect(base.contains("\"\(key)\" : \"h.1.mlp.c_fc.weight\"") && base.contains("/gpt/model.safetensors"))
    let evaluation = ["eval", try run(folder), "--data_dir", PipelineTests.data, "--json"]
    let before = try Tool.run(evaluation, in: folder)
    try #require(before.status == 0, "\(before.errors)")
    try FileSystem.makeFolder(folder + "/kept")
    try FileManager.default.moveItem(atPath: text, toPath: folder + "/kept/gpt")
    let missing = try Tool.run(evaluation, in: folder)
    #expect(missing.status == 66)
    #expect(missing.errors.contains("/gpt/model.safetensors") && missing.errors.contains("--model_dir"))
    let found = try Tool.run(evaluation + ["--model_dir", folder + "/kept"], in: folder)
    #expect(found.status == 0 && found.output == before.output, "\(found.errors)")
    try FileManager.default.moveItem(atPath: folder + "/kept/gpt", toPath: text)
    let whole = try Tool.run(
      common + towers + ["--whole_checkpoints", "--experiment_name", "whole"], in: folder)
    try #require(whole.status == 0, "\(whole.errors)")
    let runs = FileSystem.list(folder + "/logs/CLEFT").filter { $0.hasSuffix("_whole") }
    let stored = "\(folder)/logs/CLEFT/\(try #require(runs.first))/checkpoints/step-00000001"
    #expect(try SafeTensorsFile(stored + "/model.safetensors").entries[key] != nil)
  }

  @Test func aDamagedCheckpointOfARunIsPassedOver() throws {
    let folder = try Tool.scratch()
    let options = tiny + ["--max_steps", "4", "--checkpoint_every", "2"]
    try #require(try Tool.run(options, in: folder).status == 0)
    let run = try run(folder)
    #expect(!run.hasSuffix("_"))
    let path = run + "/checkpoints/step-00000004/optimizer.safetensors"
    let sound = try Data(contentsOf: URL(fileURLWithPath: path))
    try Data(sound.dropLast()).write(to: URL(fileURLWithPath: path))
    let named = try Tool.run(options + ["--resume_ckpt", run + "/checkpoints/step-00000004"], in: folder)
    #expect(named.status == 65 && named.errors.contains("optimizer.safetensors"))
    let resumed = try Tool.run(options + ["--resume_ckpt", "last"], in: folder)
    try #require(resumed.status == 0, "\(resumed.errors)")
    #expect(resumed.errors.contains("resuming from") && resumed.errors.contains("step-00000002"))
    #expect(resumed.errors.contains("optimizer.safetensors"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == sound, "the same steps, the same bits")
    #expect(FileSystem.list(run + "/checkpoints").contains("set-aside-step-00000004"))
  }

  @Test func aRunGoesOnWithItsOwnOptions() throws {
    let folder = try Tool.scratch()
    let options = tiny + ["--max_steps", "4", "--checkpoint_every", "2", "--peft", "lora", "--seed", "7"]
    try #require(try Tool.run(options, in: folder).status == 0)
    let run = try run(folder)
    let weights = run + "/checkpoints/step-00000004/model.safetensors"
    let whole = try FileSystem.read(weights)
    for place in [run, run + "/checkpoints/step-00000002"] {
      FileSystem.remove(run + "/checkpoints/step-00000004")
      let resumed = try Tool.run(["train", "--resume_ckpt", place], in: Tool.scratch())
      try #require(resumed.status == 0, "\(place): \(resumed.errors)")
      #expect(resumed.errors.contains("resuming from") && resumed.errors.contains("step-00000002"))
      #expect(try FileSystem.read(weights) == whole, "the same options, the same bits")
    }
    let other = try Tool.run(["train", "--resume_ckpt", run, "--seed", "8"], in: Tool.scratch())
    #expect(other.status == 78 && other.errors.contains("seed 8"), "\(other.errors)")
  }

  @Test func aCheckpointOlderThanAnOptionGoesOn() throws {
    let folder = try Tool.scratch()
    let options = tiny + ["--freeze_vit", "--max_steps", "2", "--checkpoint_every", "1"]
    try #require(try Tool.run(options, in: folder).status == 0)
    let checkpoints = try run(folder) + "/checkpoints"
    func resumed(_ more: [String]) throws -> Tool.Result {
      FileSystem.remove(checkpoints + "/step-00000002")
      return try Tool.run(options + ["--resume_ckpt", checkpoints + "/step-00000001"] + more, in: folder)
    }
    let without = try resumed(["--no_feature_cache"])
    try #require(without.status == 0, "\(without.errors)")
    #expect(without.errors.contains("features kept of frozen towers (none, not validation)"))
    // As if it had been written without one flag, with another that must not count, and without a word on features.
    let path = checkpoints + "/step-00000001/state.json"
    let lines = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n")
    let older = lines.filter { !$0.contains("\"features kept\"") }
      .map { $0.replacing("\"no_augmentation\"", with: "\"no_feature_cache\"") }
    try #require(older.count == lines.count - 1 && older.contains { $0.contains("\"no_feature_cache\"") })
    try FileSystem.write(Data(older.joined(separator: "\n").utf8), to: path)
    let plain = try resumed([])
    try #require(plain.status == 0, "\(plain.errors)")
    #expect(plain.errors.contains("features kept of frozen towers (validation, not none)"))
    let other = try resumed(["--no_augmentation"])
    #expect(other.status == 78 && other.errors.contains("no_augmentation true"), "\(other.errors)")
  }

  @Test func aFileIsNothingToResume() throws {
    let folder = try Tool.scratch()
    let file = Tool.root.appendingPathComponent("Tests/Fixtures/ckpt/tiny.ckpt").path
    let result = try Tool.run(tiny + ["--resume_ckpt", file], in: folder)
    #expect(result.status == 78 && result.errors.contains("--pretrained_model"))
    #expect(!FileSystem.exists(folder + "/logs"))
  }

  /// The signal that the system sends with a file-size limit does not end the process.
  @Test func aFileSizeLimitIsAnErrorAndTheCheckpointBeforeStands() throws {
    let folder = try Tool.scratch()
    let options = tiny + ["--checkpoint_every", "1"]
    try #require(try Tool.run(options + ["--max_steps", "2"], in: folder).status == 0)
    let checkpoints = try run(folder) + "/checkpoints"
    FileSystem.remove(checkpoints + "/step-00000002")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.arguments =
      ["-c", "ulimit -f 1000; exec \"$@\"", "bash", Tool.path] + options
      + ["--max_steps", "2", "--resume_ckpt", "last"]
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 74, "\(text)")
    #expect(text.contains("step-00000002/model.safetensors") && text.contains("step-00000001 stands"))
    #expect(FileSystem.list(checkpoints) == ["step-00000001"])
  }

  @Test func thePublishedFileHoldsOptimizerAndSchedule() throws {
    let folder = try Tool.scratch()
    let trained = try Tool.run(
      tiny + ["--max_steps", "3", "--learning_rate", "1e-3", "--peft", "lora"], in: folder)
    try #require(trained.status == 0, "\(trained.errors)")
    let out = folder + "/run.ckpt"
    let converted = try Tool.run(["convert", try run(folder), "--to", "ckpt", "--out", out], in: folder)
    try #require(converted.status == 0, "\(converted.errors)")
    let file = try TorchArchive(out)
    #expect(file.value("global_step") == 3)
    #expect(file.value("hyper_parameters")?["learning_rate"] == .double(1e-3))
    #expect(file.value("hyper_parameters")?["lamb"] == .double(0.75))
    guard case .list(let schedules)? = file.value("lr_schedulers"), schedules.count == 1,
      case .list(let optimizers)? = file.value("optimizer_states"), optimizers.count == 1,
      case .list(let groups)? = optimizers[0]["param_groups"],
      case .dictionary(let states)? = optimizers[0]["state"]
    else {
      Issue.record("no optimizer or schedule")
      return
    }
    #expect(schedules[0]["last_epoch"] == 3 && schedules[0]["first_cycle_steps"] == 3)
    var numbers: [Int] = []
    for group in groups {
      #expect(group["initial_lr"] == .double(1e-3) && group["lr_scale"] == .double(2e-5))
      guard case .list(let members)? = group["params"] else { continue }
      for case .int(let number) in members { numbers.append(number) }
    }
    #expect(numbers == Array(0..<numbers.count), "numbered over all groups")
    // The state's first moments have the shapes of the weights that they belong to.
    let known = Set(file.entries.values.map(\.shape.dimensions))
    var count = 0
    for entry in states {
      guard case .tensor(let dtype, let shape)? = entry.value["exp_avg"] else { continue }
      count += 1
      #expect(dtype == .float32 && known.contains(shape.dimensions))
      #expect(entry.value["step"] == .tensor(dtype: .float32, shape: []))
    }
    #expect(count > 10 && count < numbers.count, "the local heads are numbered but never moved")
  }
}
