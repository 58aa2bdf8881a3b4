import Foundation
import Testing

/// The whole job on a small synthetic set: four published commands, a kill, a resume, and what can go wrong.
@Suite(.serialized) struct PipelineTests {
  static let data: String = {
    let folder = (try? Tool.scratch()) ?? "/tmp"
    let result = try? Tool.run([
      "synth", "--out", folder + "/data", "--patients", "40", "--per_class", "3", "--rsna_per_class", "4",
      "--min_size", "96",
      "--max_size", "128", "--sheet_rows", "1",
    ])
    precondition(result?.status == 0, "synth: \(result?.errors ?? "")")
    return folder + "/data"
  }()

  private let small = [
    "--model", "tiny", "--image_size", "56", "--batch_size", "8", "--devices", "1", "--warm_up", "2",
    "--log_every", "1",
  ]
  /// The published recipe's other flags, as its README spells them.
  private let published = [
    "--strategy", "ddp_find_unused_parameters_true", "--llm_type", "gpt", "--precision", "bf16-true",
    "--peft", "lora",
    "--accumulate_grad_batches", "1", "--grad_ckpt", "--linear_proj", "--pool_feat",
  ]

  private func train(
    _ folder: String, steps: Int, _ extra: [String] = [], killAfter: ((Process) -> Void)? = nil
  ) throws -> Tool.Result {
    try Tool.run(
      ["train", "--data_dir", Self.data, "--max_steps", "\(steps)"] + small + published + extra, in: folder,
      killAfter: killAfter)
  }

  /// The newest whole checkpoint of the newest run below a folder.
  private func newest(_ folder: String) throws -> String {
    let runs = try FileManager.default.contentsOfDirectory(atPath: folder + "/logs/CLEFT").sorted()
    let checkpoints = "\(folder)/logs/CLEFT/\(runs.last ?? "")/checkpoints"
    let steps = try FileManager.default.contentsOfDirectory(atPath: checkpoints)
    struct NoCheckpoint: Error {}
    guard let step = steps.filter({ !$0.hasSuffix(".partial") }).max() else { throw NoCheckpoint() }
    return "\(checkpoints)/\(step)"
  }

  @Test func thePublishedCommandsRunAndPrintTheirTables() throws {
    let folder = try Tool.scratch()
    let pretrained = try train(folder, steps: 4, ["--experiment_name", "pre", "--weight_decay", "0.1"])
    try #require(pretrained.status == 0, "\(pretrained.errors)")
    let stage1 = try newest(folder)
    let tuned = try Tool.run(
      [
        "train", "--data_dir", Self.data, "--max_steps", "3", "--batch_size", "8", "--devices", "2",
        "--learning_rate", "1e-4",
        "--warm_up", "1", "--min_lr", "1e-5", "--weight_decay", "1e-3", "--data_pct", "1.0", "--freeze_llm",
        "--sgd", "--prompt_ft",
        "--ctx_length", "30", "--ctx_init", "caption", "--pretrained_encoder", stage1,
      ] + published, in: folder)
    try #require(tuned.status == 0, "\(tuned.errors)")
    let stage2 = try newest(folder)
    for (checkpoint, extra, classes) in [
      (stage1, [String](), 5), (stage1, ["--rsna"], 2), (stage2, [], 5), (stage2, ["--rsna"], 2),
    ] {
      let result = try Tool.run(
        [
          "train", "--data_dir", Self.data, "--batch_size", "72", "--devices", "4", "--eval", "--five_cls",
          "--pretrained_model", checkpoint,
        ]
          + published + extra, in: folder)
      try #require(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("### Confusion Matrix:"))
      #expect(result.output.contains("### Accuracy: ") && result.output.contains("### AUC: "))
      let rows = result.output.split(separator: "\n").filter { $0.hasPrefix("[") }
      #expect(rows.count == (classes == 2 ? 4 : 5), "RSNA is scored under two prompt sets")
    }
  }

  @Test func aKilledRunResumesToTheSameBits() throws {
    let (whole, cut) = (try Tool.scratch(), try Tool.scratch())
    let extra = ["--checkpoint_every", "2", "--seed", "5", "--num_workers", "1"]
    try #require(try train(whole, steps: 9, extra).status == 0)
    let killed = try train(cut, steps: 9, extra) { process in
      // Kill without warning as soon as a checkpoint in the middle exists.
      for _ in 0..<2000 {
        if let path = try? newest(cut), path.hasSuffix("4") || path.hasSuffix("6") { break }
        usleep(5_000)
      }
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(killed.status == SIGKILL)
    let resumed = try train(cut, steps: 9, extra + ["--resume_ckpt", "last"])
    try #require(resumed.status == 0, "\(resumed.errors)")
    for name in ["model.safetensors", "optimizer.safetensors"] {
      let (a, b) = (try newest(whole), try newest(cut))
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(a)/\(name)"))
          == Data(contentsOf: URL(fileURLWithPath: "\(b)/\(name)")))
    }
    // Numbers of steps done twice appear once.
    let run = URL(fileURLWithPath: try newest(cut)).deletingLastPathComponent().deletingLastPathComponent()
    let lines = try String(contentsOf: run.appendingPathComponent("metrics.jsonl"), encoding: .utf8).split(
      separator: "\n")
    #expect(lines.filter { $0.contains("train_loss\"") }.count == 9)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: run.path + "/checkpoints").allSatisfy {
        !$0.hasSuffix(".partial")
      })
  }

  /// Numbers of one run by step, from its `metrics.jsonl`.
  private func metrics(_ folder: String) throws -> [Int: [String: Double]] {
    let run = URL(fileURLWithPath: try newest(folder)).deletingLastPathComponent().deletingLastPathComponent()
    let lines = try String(contentsOf: run.appendingPathComponent("metrics.jsonl"), encoding: .utf8)
    return try lines.split(separator: "\n").reduce(into: [:]) { found, line in
      let values = try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
      found[Int(values["step"] ?? 0), default: [:]].merge(values) { _, new in new }
    }
  }

  @Test func trainingTakesNoTensorMemoryFromTheSystemAfterItsStart() throws {
    let folder = try Tool.scratch()
    try #require(try train(folder, steps: 60, ["--checkpoint_every", "0"]).status == 0)
    let numbers = try metrics(folder)
    let (early, late) = (numbers[30]?["tensor_blocks"], numbers[60]?["tensor_blocks"])
    #expect(early != nil && early == late)
  }

  @Test func askingToStopWritesACheckpointAndSaysHowToGoOn() throws {
    let folder = try Tool.scratch()
    let result = try train(folder, steps: 5000) { process in
      for _ in 0..<2000 {
        let logs = folder + "/logs/CLEFT"
        if let run = try? FileManager.default.contentsOfDirectory(atPath: logs).first,
          let size = try? FileManager.default.attributesOfItem(atPath: "\(logs)/\(run)/metrics.jsonl")[.size]
            as? Int, size > 0
        {
          break
        }
        usleep(5_000)
      }
      kill(process.processIdentifier, SIGTERM)
    }
    #expect(result.status == 75)
    #expect(result.errors.contains("--resume_ckpt last"))
    #expect(try newest(folder).contains("step-"))
  }
}
