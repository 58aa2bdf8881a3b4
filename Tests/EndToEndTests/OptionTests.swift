import Foundation
import Testing

/// The command line of `cleft train` and `cleft eval`: which options there are, how they may be typed, what they refuse.
@Suite struct OptionTests {
  /// Options and values as `--print_config` shows them.
  private func resolved(_ arguments: [String], _ command: String = "train") throws -> [String: String] {
    let result = try Tool.run([command] + arguments + ["--print_config"])
    try #require(result.status == 0, "\(arguments): \(result.errors)")
    return try Self.options(result.output)
  }

  static func options(_ yaml: String) throws -> [String: String] {
    try yaml.split(separator: "\n").reduce(into: [:]) { found, line in
      let colon = try #require(line.firstRange(of: ": "))
      found[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
    }
  }

  /// The one line of a command line that is refused.
  private func refusal(_ arguments: [String], _ command: String = "train") throws -> String {
    let result = try Tool.run([command] + arguments)
    #expect(result.status == 64, "\(arguments): \(result.errors)")
    #expect(result.output.isEmpty)
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 1, "\(arguments): \(result.errors)")
    return lines.first.map(String.init) ?? ""
  }

  @Test func everyPublishedFlagHasItsNameItsKindAndItsDefault() throws {
    #expect(PublishedFlag.all.count == 68)
    #expect(Set(PublishedFlag.all.map(\.name)).count == 68)
    let usual = try resolved([])
    for flag in PublishedFlag.all { #expect(usual[flag.name] == flag.usual, "\(flag.name)") }
  }

  @Test(arguments: PublishedFlag.all.filter { $0.name != "mgca_encoder" })
  func aPublishedFlagIsAccepted(_ flag: PublishedFlag) throws {
    let typed = ["--\(flag.name)"] + (flag.value.map { [$0] } ?? [])
    let shown = try resolved(typed + flag.beside)
    #expect(shown[flag.name] == flag.shown)
    // Nothing else has changed.
    let usual = try resolved(flag.beside)
    #expect(shown.filter { $0.key != flag.name } == usual.filter { $0.key != flag.name })
    if flag.value != nil {
      #expect(try refusal(["--\(flag.name)"]).contains("Missing value for '--\(flag.name) <"))
    }
  }

  @Test func theOneFlagThatIsNotReadSaysWhatToUse() throws {
    #expect(try refusal(["--mgca_encoder"]).contains("--baseline_vit --img_encoder mgca"))
  }

  @Test func theBeginningOfANameIsEnough() throws {
    let shown = try resolved([
      "--batch", "8", "--learning-r=1e-3", "--linear", "--accum", "2", "--exp", "x", "--warm=3",
    ])
    #expect(shown["batch_size"] == "8" && shown["learning_rate"] == "0.001")
    #expect(shown["linear_proj"] == "true" && shown["accumulate_grad_batches"] == "2")
    #expect(shown["experiment_name"] == "\"x\"" && shown["warm_up"] == "3")
    // A whole name is no beginning of another one.
    let whole = try resolved(["--model", "tiny", "--use_flash_attention", "--img_peft", "lora"])
    #expect(whole["model"] == "\"tiny\"" && whole["model_dir"] == nil)
    #expect(whole["use_flash_attention"] == "true" && whole["use_flash_attention_2"] == "false")
    // What is unambiguous in the published program stays so: --monitor is newer.
    #expect(try resolved(["--mo", "0.5"])["momentum"] == "0.5")
  }

  @Test func anAmbiguousBeginningNamesTheCandidates() throws {
    let line = try refusal(["--lora", "3"])
    for name in ["--lora", "--lora_alpha", "--lora_dropout", "--lora_r"] { #expect(line.contains(name)) }
    #expect(try refusal(["--max", "3"], "eval").contains("--max_steps"))
    #expect(try refusal(["--lerning_rate", "3"]).contains("--learning_rate"))
  }

  @Test func hyphensEqualsSignsAndRepetition() throws {
    let shown = try resolved(["--batch-size=5", "--batch_size", "6", "--grad-ckpt", "--grad_ckpt", "--eval"])
    #expect(shown["batch_size"] == "6", "the last one counts")
    #expect(shown["grad_ckpt"] == "true")
    #expect(try resolved(["--experiment_name=--a=b"])["experiment_name"] == "\"--a=b\"")
    #expect(try resolved(["--experiment_name", "a \"b\" \\ c"])["experiment_name"] == #""a \"b\" \\ c""#)
    #expect(try resolved(["--experiment_name="])["experiment_name"] == "\"\"")
    #expect(try refusal(["--experiment_name", "--sgd"]).contains("--experiment_name"))
    #expect(try resolved(["--sgd", "--sgd=false", "--five_cls=false", "--five_cls=true"])["sgd"] == "false")
    #expect(try refusal(["--sgd=maybe"]).contains("'maybe'"))
    #expect(try refusal(["--batch_size", "many"]).contains("--batch_size <pairs>"))
    #expect(try resolved(["RUN", "--rsna"], "eval")["pretrained_model"] == "\"RUN\"")
  }

  @Test(arguments: [
    ["--learning_rate", "-1"], ["--learning_rate", "-1e-3"], ["--learning_rate", "inf"], ["--min_lr", "nan"],
    ["--weight_decay=-.5"], ["--momentum", "1"], ["--batch_size", "1"], ["--max_steps", "0"],
    ["--warm_up", "-1"], ["--accumulate_grad_batches", "0"], ["--layer_decay", "0"],
    ["--layer_decay", "1.1"],
    ["--max_grad_norm", "-1"], ["--max_grad_norm", "inf"], ["--text_dropout", "1"], ["--drop_path", "-0.1"],
    ["--img_mask_ratio", "1"], ["--softmax_temperature", "0"], ["--emb_dim", "0"], ["--text_layers", "0"],
    ["--img_heads", "0"], ["--image_size", "0"], ["--ctx_length", "0"], ["--num_freeze_blocks", "-1"],
    ["--lora_r", "0"], ["--lora_dropout", "1"], ["--num_virtual_tokens", "0"], ["--data_pct", "0"],
    ["--data_pct", "2"], ["--caption_length", "0"], ["--num_workers", "-1"], ["--image_cache", "-1"],
    ["--preview", "-1"], ["--devices", "0"], ["--threads", "0"], ["--spike_z", "0"], ["--spike_z", "nan"],
    ["--max_logit_scale", "0"], ["--num_classes", "0"], ["--checkpoint_every", "-1"],
    ["--checkpoint_minutes", "-1"], ["--log_every", "0"], ["--val_every", "-1"],
  ])
  func aNumberOutOfItsRangeIsRefusedByName(_ arguments: [String]) throws {
    let name = arguments[0].prefix { $0 != "=" }
    #expect(try refusal(arguments).contains(name))
  }

  @Test(arguments: [
    ("--llm_type", "t5", "llama"), ("--model", "huge", "tiny"), ("--ctx_init", "words", "caption"),
    ("--schedule", "step", "linear"), ("--loss", "triplet", "siglip"), ("--monitor_mode", "least", "min"),
    ("--on_nan", "warn", "skip"), ("--on_spike", "ignore", "warn"), ("--dataset", "mimic", "manifest"),
    ("--compat", "old", "reference"), ("--accelerator", "tpu", "cuda"), ("--strategy", "ddpx", "ddp_spawn"),
    ("--strategy", "deepspeed_stage_4", "fsdp"), ("--precision", "8", "bf16-mixed"),
    ("--pool_token", "mean", "last_word"), ("--train_split", "all", "valid"),
  ])
  func anUnknownWordIsRefusedWithThoseThatThereAre(_ option: String, _ word: String, _ known: String) throws {
    let line = try refusal([option, word])
    #expect(line.contains(option) && line.contains(word) && line.contains(known), "\(line)")
  }

  @Test(arguments: [
    ("64", "float64", "32"), ("64-true", "float64", "32"), ("16-true", "float16", "bf16-true"),
    ("transformer-engine", "NVIDIA", "bf16-mixed"), ("transformer-engine-float16", "NVIDIA", "bf16-mixed"),
  ])
  func aRefusedPrecisionSaysWhyAndWhatToTake(_ type: String, _ reason: String, _ other: String) throws {
    let line = try refusal(["--precision", type])
    #expect(line.contains(reason) && line.contains("take \(other)"), "\(line)")
  }

  @Test(arguments: ["32", "32-true", "bf16-true", "bf16-mixed", "bf16", "16-mixed", "16"])
  func aKnownPrecisionIsAccepted(_ type: String) throws {
    #expect(try resolved(["--precision", type])["precision"] == "\"\(type)\"")
  }

  @Test func strategiesOfLightningAreAccepted() throws {
    for name in [
      "auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook", "ddp_find_unused_parameters_false",
      "ddp_spawn_find_unused_parameters_true", "fsdp", "fsdp_cpu_offload", "deepspeed", "deepspeed_stage_2",
      "deepspeed_stage_3_offload",
    ] {
      #expect(try resolved(["--strategy", name])["strategy"] == "\"\(name)\"")
    }
    for name in ["auto", "cpu", "cuda", "gpu", "mps"] {
      #expect(try resolved(["--accelerator", name])["accelerator"] == "\"\(name)\"")
    }
  }

  @Test(arguments: [
    ("45s", "00:00:45"), ("90m", "01:30:00"), ("12h", "12:00:00"), ("1d", "1-00:00:00"), ("1.5h", "01:30:00"),
    ("1h30m", "01:30:00"), ("1d2h3m4s", "1-02:03:04"), ("36:00:00", "1-12:00:00"), ("00:00:01", "00:00:01"),
    ("1-02:03:04", "1-02:03:04"), ("01:02:03:04", "1-02:03:04"), ("0.5s", "0.5s"), ("2H", "02:00:00"),
  ])
  func aLengthOfTimeIsReadInItsForms(_ typed: String, _ meant: String) throws {
    #expect(try resolved(["--max_time", typed])["max_time"] == "\"\(meant)\"")
    #expect(try resolved(["--max_time", meant])["max_time"] == "\"\(meant)\"")
  }

  @Test(arguments: [
    "90", "0s", "00:00:00", "10:00", "00:60:00", "00:00:60", "1-24:00:00", "1m1h", "h", "5w", "-1h",
    "1:2:3:4:5",
  ])
  func aLengthOfTimeInNoFormIsRefused(_ typed: String) throws {
    #expect(try refusal(["--max_time=\(typed)"]).contains("HH:MM:SS"))
  }

  @Test func whatCannotBeMeantTogetherIsRefused() throws {
    #expect(try refusal(["--eval", "--dry_run"]).contains("--dry_run"))
    #expect(try refusal(["RUN", "--dry_run"], "eval").contains("--dry_run"))
    let trial = try refusal(["--dry_run", "--resume_ckpt", "last"])
    #expect(trial.contains("--dry_run") && trial.contains("--resume_ckpt"))
    #expect(try refusal(["A", "--pretrained_model", "B"], "eval").contains("'B'"))
    #expect(try refusal(["--keep_size"]).contains("rsna"))
  }

  @Test func anUnknownCommandNamesTheNearest() throws {
    for arguments in [["trian"], ["help", "trian"], ["trian", "--help"]] {
      let result = try Tool.run(arguments)
      #expect(result.status == 64)
      #expect(result.errors.contains("trian: no such command. Nearest: train, "), "\(result.errors)")
    }
    #expect(try Tool.run(["check_data", "--help"]).output.contains("USAGE: cleft check-data"))
  }
}
