import Foundation
import Testing

/// Runs that try something out, and what a run says of options that count for nothing in it.
@Suite(.serialized) struct TrialTests {
  private let tiny = [
    "train", "--model", "tiny", "--image_size", "56", "--batch_size", "8", "--warm_up", "0",
    "--max_steps", "50", "--linear_proj", "--data_dir", PipelineTests.data,
  ]

  private func hasRuns(_ folder: String) -> Bool {
    FileManager.default.fileExists(atPath: folder + "/logs/CLEFT")
  }

  @Test func aDryRunMeasuresAndWritesNothing() throws {
    struct Figures: Decodable {
      struct Part: Decodable {
        let name: String
        let all, trained: Int
      }
      let parameters: [Part]
      let samples: [String: Int]
      let weight_bytes, gradient_bytes, optimizer_bytes, activation_bytes, peak_resident_bytes: Int
      let checkpoint_bytes, steps: Int
      let step_seconds, run_hours: Double
      let features_kept: String
    }
    let folder = try Tool.scratch()
    let arguments = tiny + ["--devices", "1", "--freeze_vit", "--dry_run"]
    let result = try Tool.run(arguments + ["--json"], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let figures = try JSONDecoder().decode(Figures.self, from: Data(result.output.utf8))
    let (all, trained) = figures.parameters.reduce((0, 0)) { ($0.0 + $1.all, $0.1 + $1.trained) }
    #expect(figures.weight_bytes == 4 * all && figures.gradient_bytes == 4 * trained)
    #expect(figures.parameters.first { $0.name == "image tower" }?.trained == 0)
    #expect((figures.parameters.first { $0.name == "text tower" }?.trained ?? 0) > 0)
    #expect(figures.optimizer_bytes >= 2 * figures.gradient_bytes, "two moments of AdamW")
    #expect(figures.activation_bytes > 0 && figures.peak_resident_bytes > figures.weight_bytes)
    #expect(figures.checkpoint_bytes > 4 * trained)
    #expect(figures.steps == 50 && figures.step_seconds > 0)
    #expect(abs(figures.run_hours - figures.step_seconds * 50 / 3600) < 1e-9)
    #expect((figures.samples["train"] ?? 0) > 8)
    #expect(figures.features_kept == "validation", "training pictures are augmented")
    #expect(!hasRuns(folder))

    let text = try Tool.run(arguments, in: folder).output
    for part in ["parameters", "optimizer state", "seconds a step", "one checkpoint", "train rows"] {
      #expect(text.contains(part), "\(text)")
    }
    #expect(!text.contains("with nothing kept"), "what is kept for validation changes no step")
    let kept = try Tool.run(arguments + ["--no_augmentation", "--max_steps", "1000"], in: folder).output
    for part in ["pictures, validation", "seconds a step, with nothing kept", "were nothing kept"] {
      #expect(kept.contains(part), "\(kept)")
    }
  }

  @Test func aDevelopmentRunTakesOneBatchAndWritesNothing() throws {
    let folder = try Tool.scratch()
    let result = try Tool.run(
      tiny + [
        "--devices", "2", "--five_cls", "--dev", "--max_epochs", "3", "--num_heads", "2", "--mrm_encoder",
        "--use_flash_attention", "--strategy", "fsdp",
      ], in: folder)
    try #require(result.status == 0, "\(result.errors)")
    #expect(!hasRuns(folder))
    #expect(result.output.contains("### Accuracy: "), "it tests too")
    let lines = result.errors.split(separator: "\n")
    // What does nothing is said once, and once more in the summary.
    for name in ["--max_epochs", "--num_heads", "--mrm_encoder", "--use_flash_attention"] {
      #expect(lines.count { $0.hasPrefix("warning: \(name) does nothing") } == 1, "\(result.errors)")
      #expect(lines.count { $0.hasPrefix("  1× \(name) does nothing") } == 1, "\(result.errors)")
    }
    #expect(lines.contains { $0.hasPrefix("--strategy fsdp: the same numbers") })
    #expect(lines.contains { $0.hasPrefix("--accelerator gpu: running on the CPU") })
  }

  @Test func optionsThatChangeNothingAreSaidOnce() throws {
    let folder = try Tool.scratch()
    let idle = [
      "--gather_features", "--cached_negatives", "--inherit_logit_scale", "--ctx_length", "--ctx_init",
      "--num_classes", "--train_sub_set", "--non_strict", "--sgd", "--trace_steps", "--spike_z",
      "--no_feature_cache",
    ]
    let values = [
      "--ctx_length": "16", "--ctx_init": "caption", "--num_classes": "5", "--trace_steps": "3",
      "--spike_z": "4",
    ]
    let result = try Tool.run(
      tiny + ["--devices", "1", "--dev", "--adafactor", "--on_spike", "off", "--min_lr", "1e-4"]
        + idle.flatMap { [$0] + (values[$0].map { [$0] } ?? []) }, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let lines = result.errors.split(separator: "\n")
    for name in idle {
      #expect(lines.count { $0.hasPrefix("warning: \(name) does nothing here: ") } == 1, "\(result.errors)")
    }
    #expect(lines.count { $0.hasPrefix("warning: --min_lr 0.0001 is above --learning_rate") } == 1)
    // Where they mean something nothing is said.
    let active = try Tool.run(
      tiny + [
        "--devices", "2", "--dev", "--accumulate_grad_batches", "2", "--gather_features",
        "--cached_negatives", "--prompt_ft", "--ctx_length", "16", "--ctx_init", "caption", "--data_pct",
        "0.9", "--train_sub_set", "--sgd",
      ], in: folder)
    try #require(active.status == 0, "\(active.errors)")
    #expect(!active.errors.contains("does nothing"), "\(active.errors)")
  }

  @Test func aClassifierSaysWhatItDoesNotReadAndNothingOfPrompts() throws {
    let folder = try Tool.scratch()
    let common = ["--devices", "1", "--dev", "--img_cls_ft"]
    let result = try Tool.run(
      tiny + common + ["--rsna", "--caption_length", "32", "--pool_token", "first", "--text_dropout", "0.2"],
      in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let line = try #require(result.errors.split(separator: "\n").first { $0.contains("not read") })
    for name in ["--caption_length", "--pool_token", "--text_dropout", "--linear_proj"] {
      #expect(line.contains(name), "\(line)")
    }
    #expect(result.errors.contains("departures from the published program:"))
    #expect(!result.errors.contains("pneumothorax"), "\(result.errors)")
    #expect(result.errors.contains("acc2"), "\(result.errors)")
    let several = try Tool.run(tiny + common + ["--five_cls", "--multi_label_loss"], in: folder)
    try #require(several.status == 0, "\(several.errors)")
    #expect(!several.errors.contains("acc2"), "\(several.errors)")
  }

  @Test(arguments: [
    ["--llm_type", "llama"], ["--llm_type", "bert"], ["--text_model", "gpt2"], ["--text_layers", "1"],
    ["--img_encoder", "dinov2_vits14"], ["--baseline_vit"], ["--img_heads", "2"],
  ])
  func oneModelIsNamedAndNotTwo(_ other: [String]) throws {
    let result = try Tool.run(tiny + ["--devices", "1", "--dev"] + other, in: Tool.scratch())
    #expect(result.status == 78, "\(result.errors)")
    let line = try #require(result.errors.split(separator: "\n").first { $0.hasPrefix("cleft: error: ") })
    #expect(line.contains(other[0]) && line.contains("--model tiny"), "\(line)")
  }

  @Test func aClassifierMayNameNoOtherImageTower() throws {
    let common = tiny + ["--devices", "1", "--dev", "--img_cls_ft", "--five_cls"]
    let image = try Tool.run(common + ["--img_heads", "2"], in: Tool.scratch())
    #expect(image.status == 78 && image.errors.contains("--model tiny"), "\(image.errors)")
    let text = try Tool.run(common + ["--text_layers", "1"], in: Tool.scratch())
    #expect(text.status == 0 && text.errors.contains("--text_layers"), "\(text.errors)")
  }

  @Test func noMoreBlocksAreFrozenThanThereAre() throws {
    let result = try Tool.run(
      tiny + ["--devices", "1", "--dev", "--num_freeze_blocks", "99"], in: Tool.scratch())
    #expect(result.status == 78, "\(result.errors)")
    #expect(
      result.errors.contains(/--num_freeze_blocks: 99; expected at most the \d+ blocks/), "\(result.errors)")
  }

  @Test func anEvaluationSaysWhichOptionsOfTrainingItDoesNotHeed() throws {
    let folder = try Tool.scratch()
    let trained = try Tool.run(
      tiny + ["--devices", "1", "--max_steps", "1", "--text_dropout", "0.25"], in: folder)
    try #require(trained.status == 0, "\(trained.errors)")
    let runs = folder + "/logs/CLEFT/"
    let run = runs + (try #require(FileManager.default.contentsOfDirectory(atPath: runs).first))
    let model = try String(
      contentsOfFile: run + "/checkpoints/step-00000001/model.json", encoding: .utf8)
    #expect(model.contains(/"resid_pdrop"\s*:\s*0\.25/), "\(model)")
    let common = ["--data_dir", PipelineTests.data, "--five_cls"]
    let plain = try Tool.run(["eval", run] + common, in: folder)
    try #require(plain.status == 0, "\(plain.errors)")
    #expect(!plain.errors.contains("not heeded") && !plain.errors.contains("--accelerator"))
    let published = try Tool.run(
      ["train", "--eval", "--pretrained_model", run, "--linear_proj", "--learning_rate", "4e-5"] + common + [
        "--batch_size", "9", "--devices", "3", "--strategy", "ddp_find_unused_parameters_true", "--grad_ckpt",
        "--accumulate_grad_batches", "2", "--data_pct", "0.1", "--train_sub_set", "--dev",
      ], in: folder)
    try #require(published.status == 0, "\(published.errors)")
    #expect(published.output == plain.output, "all test rows, the same batches")
    let line = try #require(published.errors.split(separator: "\n").first { $0.contains("not heeded") })
    for name in [
      "batch_size", "devices", "strategy", "grad_ckpt", "accumulate_grad_batches", "data_pct",
      "train_sub_set", "dev",
    ] {
      #expect(line.contains("--\(name)"), "\(line)")
    }
  }
}
