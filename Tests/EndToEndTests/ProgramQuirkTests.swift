import CleftData
import CleftFormats
import CleftTensor
import Foundation
import Testing

/// What each quirk of options, files and runs does where it is in force, and what happens where it is not.
@Suite(.serialized) struct ProgramQuirkTests {
  /// One quirk and what shows it.
  struct Case: Sendable, CustomTestStringConvertible {
    let quirk: Quirk
    let check: @Sendable () throws -> Void
    var testDescription: String { quirk.title }

    init(_ quirk: Quirk, _ check: @escaping @Sendable () throws -> Void) {
      (self.quirk, self.check) = (quirk, check)
    }
  }

  static let cases: [Case] = [
    Case(.lenientLoad, q24MissingWeightsAreListedOrRefused),
    Case(.freshLogitScale, q25TheTemperatureStartsAnewOrGoesOn),
    Case(.flashAttention2, q30FlashAttention2DoesNothing),
    Case(.normsByName, q32NormsStayFrozenUnderPromptTuningOrTrain),
    Case(.lastWeights, q36TheLastOrTheBestWeightsAreTested),
    Case(.deadFlags, q37DeadFlagsAreSaidOnce),
    Case(.rankTimestamps, q38RanksShareOneFolder),
    Case(.sourceToken, q39NoTokenStandsInTheSource),
    Case(.obscureNames, q50UnknownNamesAreRefusedWithTheNearest),
    Case(.staleValidation, theLastWeightsAreValidatedOrNot),
    Case(.baselineHeads, theBaselineIgnoresLinearHeadsOrNot),
  ]

  @Test(arguments: cases) func everyQuirkOfTheProgram(_ one: Case) throws { try one.check() }

  /// With the tables of the other two test targets, every number from 1 to 50.
  @Test func everyQuirkOfTheProgramHasACase() {
    #expect(Self.cases.map(\.quirk) == Quirk.allCases.filter { $0.area == .program })
    #expect(Quirk.allCases.compactMap(\.number) == Array(1...50))
  }

  // MARK: - Runs

  private static let small = [
    "--image_size", "56", "--batch_size", "8", "--linear_proj", "--pool_feat",
    "--num_workers", "1", "--log_every", "1", "--valid_split", "train",
  ]

  /// A short training; its folder and what it said.
  private static func train(
    _ options: [String], steps: Int = 1, devices: Int = 1, model: [String] = ["--model", "tiny"]
  ) throws -> (run: String, said: String) {
    let folder = try Tool.scratch()
    let result = try Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--max_steps", "\(steps)", "--warm_up", "0", "--devices",
        "\(devices)",
      ] + model + small + options, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let runs = FileSystem.list(folder + "/logs/CLEFT")
    #expect(runs.count == 1)
    return (folder + "/logs/CLEFT/" + (runs.last ?? ""), result.errors)
  }

  /// A run's last weights whose keys contain something.
  private static func weights(_ run: String, _ part: String) throws -> [[Float]] {
    let newest = try #require(FileSystem.list(run + "/checkpoints").filter { $0.hasPrefix("step-") }.max())
    let file = try SafeTensorsFile("\(run)/checkpoints/\(newest)/model.safetensors")
    return try file.entries.keys.filter { $0.contains(part) }.sorted().map { try file.tensor($0).array }
  }

  private static func line(_ result: Tool.Result) -> String {
    result.errors.split(separator: "\n").filter { $0.hasPrefix("cleft: error: ") }.joined(separator: "\n")
  }

  private static func q24MissingWeightsAreListedOrRefused() throws {
    let folder = try Tool.scratch()
    let (_, text) = try TowerFiles.write(into: folder)
    // A published file without the image tower's final norm.
    let source = try TorchArchive(Tool.root.appendingPathComponent("Tests/Fixtures/ckpt/tiny.ckpt").path)
    let lost = "img_encoder_q.model.norm.weight"
    let tensors = try source.entries.keys.filter { $0 != lost }.sorted().map {
      (key: $0, tensor: try source.number($0))
    }
    try #require(tensors.count == source.entries.count - 1)
    let file = folder + "/part.safetensors"
    try SafeTensorsWriter.write(tensors, to: file)
    func eval(_ state: String) throws -> Tool.Result {
      try Tool.run(
        [
          "eval", file, "--data_dir", PipelineTests.data, "--five_cls", "--text_model", text, "--img_heads",
          "4",
          "--image_size", "56", "--pool_feat", "--linear_proj", "--peft", "lora", "--quirk",
          "lenient_load=\(state)",
        ], in: folder)
    }
    let (published, strict) = (try eval("on"), try eval("off"))
    #expect(published.status == 0 && published.errors.contains("\(lost): missing"), "\(published.errors)")
    #expect(strict.status == 65 && line(strict).contains(lost), "\(strict.errors)")
  }

  private static func q25TheTemperatureStartsAnewOrGoesOn() throws {
    let still = ["--learning_rate", "0", "--min_lr", "0"]
    let first = try train(still + ["--softmax_temperature", "0.05"]).run
    func scale(_ state: String) throws -> Float {
      let second = try train(
        still + ["--quirk", "fresh_logit_scale=\(state)"], model: ["--pretrained_encoder", first])
      return try weights(second.run, "logit_scale")[0][0]
    }
    #expect(abs(try scale("on") - log(1 / 0.07)) < 1e-5)
    #expect(abs(try scale("off") - log(1 / 0.05)) < 1e-5)
  }

  private static func q30FlashAttention2DoesNothing() throws {
    let (plain, flash) = (try train([]), try train(["--use_flash_attention_2"]))
    #expect(flash.said.contains("--use_flash_attention_2"))
    #expect(try weights(plain.run, "") == weights(flash.run, ""))
  }

  /// How many parameters are trained under some options.
  private static func trainable(_ options: [String]) throws -> Int {
    struct Entry: Decodable { let trainable: Int }
    let result = try Tool.run(["inspect", "--params", "--json"] + options)
    try #require(result.status == 0, "\(result.errors)")
    return try JSONDecoder().decode([Entry].self, from: Data(result.output.utf8))[0].trainable
  }

  private static func q32NormsStayFrozenUnderPromptTuningOrTrain() throws {
    let options = ["--model", "tiny", "--prompt_ft", "--unlock_ln"]
    let frozen = try trainable(["--model", "tiny", "--prompt_ft"])
    #expect(try trainable(options + ["--quirk", "norms_by_name=on"]) == frozen)
    // Two norms a block and a final one, weight and bias of 128 channels each.
    #expect(try trainable(options + ["--quirk", "norms_by_name=off"]) == frozen + 5 * 2 * 128)
    // LLaMA's norms have no 'ln' in their names: 65 of 4,096 channels.
    let llama = ["--llm_type", "llama", "--freeze_llm"]
    #expect(try trainable(llama + ["--unlock_ln", "--quirk", "norms_by_name=on"]) == trainable(llama))
    #expect(try trainable(llama + ["--unlock_ln"]) == trainable(llama) + 65 * 4096)
  }

  private static func q36TheLastOrTheBestWeightsAreTested() throws {
    let options = ["--checkpoint_every", "1", "--val_every", "1"]
    let last = try train(options + ["--quirk", "last_weights=on"], steps: 2)
    #expect(!last.said.contains("testing the best checkpoint"))
    let best = try train(options + ["--quirk", "last_weights=off"], steps: 2)
    #expect(best.said.contains("testing the best checkpoint"))
  }

  private static func q37DeadFlagsAreSaidOnce() throws {
    let flags = [
      "--max_epochs", "3", "--num_heads", "2", "--agg_tokens", "--mrm_encoder", "--masked_lm_ratio", "0.5",
    ]
    let (plain, dead) = (try train([]), try train(flags))
    for flag in flags where flag.hasPrefix("--") {
      #expect(dead.said.components(separatedBy: "\(flag) does nothing").count >= 2, "\(flag)")
    }
    #expect(try weights(plain.run, "") == weights(dead.run, ""))
  }

  private static func q38RanksShareOneFolder() throws {
    // `train` expects one folder.
    let ranks = try train([], devices: 2)
    #expect(FileSystem.exists(ranks.run + "/resolved.yaml"))
  }

  private static func q39NoTokenStandsInTheSource() throws {
    let sources = Tool.root.appendingPathComponent("Sources").path
    let files = try #require(FileManager.default.enumerator(atPath: sources))
    var count = 0
    for case let name as String in files where name.hasSuffix(".swift") {
      let text = try String(contentsOfFile: "\(sources)/\(name)", encoding: .utf8)
      #expect(text.firstMatch(of: /hf_[A-Za-z0-9]{30,}/) == nil, "\(name)")
      count += 1
    }
    #expect(count > 100)
  }

  private static func q50UnknownNamesAreRefusedWithTheNearest() throws {
    let folder = try Tool.scratch()
    let adapter = try Tool.run(
      ["train", "--data_dir", PipelineTests.data, "--warm_up", "0", "--model", "tiny", "--peft", "lorra"],
      in: folder)
    #expect([64, 78].contains(adapter.status) && line(adapter).contains("lora"), "\(adapter.errors)")
    let baseline = try Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--warm_up", "0", "--baseline_vit", "--img_encoder",
        "mcga",
      ],
      in: folder)
    #expect([64, 78].contains(baseline.status) && line(baseline).contains("mgca"), "\(baseline.errors)")
  }

  private static func theLastWeightsAreValidatedOrNot() throws {
    func validated(_ state: String) throws -> [Double] {
      let run = try train(["--quirk", "stale_validation=\(state)"], steps: 2).run
      let lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n")
      return try lines.compactMap { line in
        let values = try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
        return values["val_loss"] == nil ? nil : values["step"]
      }
    }
    // An epoch has more than two steps here.
    #expect(try validated("on").isEmpty && validated("off") == [2])
  }

  private static func theBaselineIgnoresLinearHeadsOrNot() throws {
    let options = ["--llm_type", "bert", "--linear_proj", "--quirk"]
    let (published, linear) = (
      try trainable(options + ["baseline_heads=on"]), try trainable(options + ["baseline_heads=off"])
    )
    // Two layers with batch norm instead of one, from 768 channels to 512, on each side.
    let twoLayers = 769 * 2048 + 2 * 2048 + 2049 * 512
    #expect(published - linear == 2 * (twoLayers - 769 * 512))
  }

  // MARK: - How they are asked for

  /// A quirk that an option can switch too is the same as the option.
  @Test(arguments: [
    (Quirk.rankNegatives, "gather_features: true"), (.duplicateNegatives, "multi_positive: true"),
    (.freshLogitScale, "inherit_logit_scale: true"), (.staticAdaLoRA, "adalora_allocate: true"),
    (.lastWeights, "test_best: true"), (.anomalyStop, "on_nan: skip"),
    (.noNegatives, "negative_prompt: true"),
  ])
  func quirksSwitchTheirOptions(_ quirk: Quirk, _ expected: String) throws {
    func options(_ state: String) throws -> [Substring] {
      let result = try Tool.run(["train", "--print_config", "--quirk", "\(quirk.rawValue)=\(state)"])
      try #require(result.status == 0, "\(result.errors)")
      return result.output.split(separator: "\n")
    }
    #expect(try options("off").contains(Substring(expected)) && !options("on").contains(Substring(expected)))
    #expect(try options("off").contains("quirk: \"\(quirk.rawValue)=off\""))
  }

  /// Adapters train under recomputation; as published they do not, and a run says so.
  @Test func recomputationKeepsAdaptersFromTraining() throws {
    let options = ["--peft", "lora", "--grad_ckpt", "--learning_rate", "1e-3", "--quirk"]
    let published = try train(options + ["ckpt_detach=on"], steps: 2)
    #expect(published.said.contains("keeps lora from training"))
    let still = try Self.weights(published.run, "lora_B")
    #expect(!still.isEmpty && still.allSatisfy { $0.allSatisfy { $0 == 0 } })
    let right = try train(options + ["ckpt_detach=off"], steps: 2)
    #expect(
      right.said.contains("recomputation does not detach the adapters (--quirk ckpt_detach=on undoes it)"))
    #expect(try Self.weights(right.run, "lora_B").allSatisfy { $0.contains { $0 != 0 } })
  }

  private func train(_ options: [String], steps: Int) throws -> (run: String, said: String) {
    try Self.train(options, steps: steps)
  }

  /// The lines of the block that a run prints.
  private func departures(_ said: String) -> [String] {
    let lines = said.components(separatedBy: "\n")
    guard let head = lines.firstIndex(of: "departures from the published program:") else { return [] }
    return lines[(head + 1)...].prefix { $0.hasPrefix("  ") }.map { String($0.dropFirst(2)) }
  }

  @Test func aRunSaysOnceWhereItDeparts() throws {
    let fixed = departures(
      try train(["--gather_features", "--quirk", "resize224=off,mask_in_evaluation=on"], steps: 1).said)
    #expect(
      fixed.contains("the temperature is not weight-decayed (--quirk decayed_logit_scale=on undoes it)"))
    #expect(fixed.contains(QuirkCatalog.entry(.resize224).departure))
    #expect(fixed.contains(QuirkCatalog.entry(.poolFirst).departure))
    // One rank has no other's negatives, no list of EMBED is read, nothing is recomputed.
    for word in ["negatives", "EMBED", "RSNA", "detach", "bf16", "LLaMA"] {
      #expect(!fixed.contains { $0.contains(word) }, "\(word): \(fixed)")
    }
    #expect(Set(fixed).count == fixed.count)
    let reference = try train(["--compat", "reference"], steps: 1).said
    #expect(
      departures(reference).allSatisfy { $0.hasSuffix("(the published program ends there)") }, "\(reference)")
    let idle = try train(["--quirk", "mask_in_evaluation=on"], steps: 1).said
    #expect(idle.contains("--quirk mask_in_evaluation: makes no difference to this run."))
    let gathered = try Self.train(["--gather_features"], devices: 2).said
    #expect(departures(gathered).contains("ranks share their negatives (by --gather_features)"))
  }

  @Test func unknownQuirksAreRefused() throws {
    let unknown = try Tool.run(["train", "--quirk", "frozen_drop=off"])
    #expect(unknown.status == 64 && Self.line(unknown).contains("frozen_dropout"), "\(unknown.errors)")
    let crash = try Tool.run(["train", "--quirk", "Q18=on"])
    #expect(crash.status == 64 && Self.line(crash).contains("not reproduced"), "\(crash.errors)")
    #expect(unknown.errors.split(separator: "\n").count == 1)
  }

  @Test func theCommandListsThemAll() throws {
    let listed = try Tool.run(["quirks"])
    #expect(listed.status == 0)
    for quirk in Quirk.allCases {
      #expect(listed.output.contains(" \(quirk.rawValue) "), "\(quirk.rawValue)")
    }
    let rows = listed.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(rows.contains { $0.starts(with: ["Q1", "resize224", "on", "on"]) })
    #expect(rows.contains { $0.starts(with: ["Q12", "label_shift", "off", "on"]) })
    #expect(rows.contains { $0.starts(with: ["Q18", "batch_of_one", "-", "-"]) })
    struct Row: Decodable { let number: Int?, name: String, fixed: Bool, reference: Bool }
    let one = try Tool.run(["quirks", "q3", "--json"])
    let found = try JSONDecoder().decode([Row].self, from: Data(one.output.utf8))
    #expect(found.map(\.name) == ["ckpt_detach"] && found[0].number == 3)
    #expect(!found[0].fixed && found[0].reference)
    #expect(try Tool.run(["quirks", "q99"]).status == 64)
  }

  /// A run of another choice of quirks is not the same run.
  @Test func aResumedRunKeepsItsQuirks() throws {
    let first = try train(["--quirk", "frozen_dropout=off"], steps: 1).run
    func resume(_ options: [String]) throws -> Tool.Result {
      try Tool.run(
        [
          "train", "--data_dir", PipelineTests.data, "--max_steps", "1", "--warm_up", "0", "--devices", "1",
          "--model", "tiny",
        ] + Self.small + ["--resume_ckpt", first] + options, in: Tool.scratch())
    }
    let other = try resume(["--quirk", "frozen_dropout=on"])
    #expect(other.status == 78 && Self.line(other).contains("quirk"), "\(other.errors)")
    for options in [[], ["--quirk", "frozen_dropout=off"]] {
      let result = try resume(options)
      #expect(result.status == 0, "\(options): \(result.errors)")
    }
  }
}
