import CleftFormats
import CleftTensor
import Foundation
import Testing

/// What can be trained besides the published pretraining: classifiers, class prompts, other losses.
@Suite(.serialized) struct ModeTests {
  private static let small = [
    "--image_size", "56", "--batch_size", "4", "--devices", "1", "--warm_up", "1", "--log_every", "1",
    "--learning_rate", "1e-3", "--num_workers", "1",
  ]
  private static let fixtures = Tool.root.appendingPathComponent("Tests/Fixtures").path

  private struct Run {
    let result: Tool.Result
    /// The run's folder.
    let path: String

    /// The weights of its newest checkpoint.
    func weights() throws -> SafeTensorsFile {
      let step = try #require(FileSystem.list(path + "/checkpoints").filter { $0.hasPrefix("step-") }.max())
      return try SafeTensorsFile("\(path)/checkpoints/\(step)/model.safetensors")
    }

    /// Names of all numbers in its log.
    func metricNames() throws -> Set<String> {
      let text = String(decoding: try FileSystem.read(path + "/metrics.jsonl"), as: UTF8.self)
      return try text.split(separator: "\n").reduce(into: []) { names, line in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        names.formUnion(object.keys)
      }
    }
  }

  private func train(_ options: [String], steps: Int = 3, model: [String] = ["--model", "tiny"]) throws -> Run
  {
    let folder = try Tool.scratch()
    let result = try Tool.run(
      ["train", "--data_dir", PipelineTests.data, "--max_steps", "\(steps)"] + model + Self.small + options,
      in: folder)
    return Run(
      result: result, path: "\(folder)/logs/CLEFT/\(FileSystem.list(folder + "/logs/CLEFT").last ?? "")")
  }

  private func evaluate(_ run: String, _ options: [String] = []) throws -> Tool.Result {
    try Tool.run(["eval", run, "--data_dir", PipelineTests.data] + options, in: try Tool.scratch())
  }

  /// The published lines at the end of a test.
  private func requirePublishedLines(_ text: String, rows: Int) {
    #expect(text.contains("### Confusion Matrix:"), "\(text)")
    #expect(text.contains("### Accuracy: ") && text.contains("### AUC: "), "\(text)")
    #expect(text.split(separator: "\n").count { $0.hasPrefix("[") } == rows, "\(text)")
  }

  // MARK: - Classifiers

  @Test(arguments: [
    (["--five_cls"], 5), ([], 14), (["--rsna"], 2), (["--five_cls", "--multi_label_loss"], 5),
    (["--five_cls", "--img_peft", "lora", "--grad_ckpt"], 5), (["--rsna", "--pool_feat", "--sgd"], 2),
  ])
  func aClassifierIsTrainedTestedAndEvaluated(_ options: [String], _ classes: Int) throws {
    let run = try train(["--img_cls_ft"] + options)
    try #require(run.result.status == 0, "\(run.result.errors)")
    requirePublishedLines(run.result.output, rows: classes)
    let file = try run.weights()
    #expect(file.entries.keys.allSatisfy { $0.hasPrefix("img_encoder_q.") })
    #expect(file.entries["img_encoder_q.global_embed.weight"]?.shape.dimensions == [classes, 128])
    let names = try run.metricNames()
    let isMultiLabel = options.contains("--multi_label_loss")
    for name in isMultiLabel
      ? ["train_acc", "test_acc"] : ["train_acc1", "train_acc2", "test_acc1", "test_acc2"]
    {
      #expect(names.contains(name), "\(name)")
    }
    #expect(!names.contains("train_acc5"))
    // On the dataset and the classes of the run.
    let again = try evaluate(run.path)
    try #require(again.status == 0, "\(again.errors)")
    #expect(again.output == run.result.output)
    let json = try evaluate(run.path, ["--json"])
    let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
    #expect((object?["classNames"] as? [String])?.count == classes)
    let scores = (object?["scores"] as? [[String: Any]])?.first
    #expect(scores?[isMultiLabel ? "counts" : "confusion"] != nil && scores?["accuracy"] != nil)
    let metrics = (scores?["card"] as? [String: Any])?["metrics"] as? [[String: Any]]
    #expect(metrics?.contains { $0["name"] as? String == "log_loss" && $0["value"] != nil } == true)
  }

  @Test func aLinearProbeLeavesTheTowerBitIdentical() throws {
    let pair = try train(["--linear_proj"])
    try #require(pair.result.status == 0, "\(pair.result.errors)")
    let options = ["--img_cls_ft", "--rsna", "--pretrained_encoder", pair.path]
    let probe = try train(options + ["--freeze_vit"], model: [])
    try #require(probe.result.status == 0, "\(probe.result.errors)")
    let whole = try train(options, model: [])
    try #require(whole.result.status == 0, "\(whole.result.errors)")
    let (start, probed, tuned) = (try pair.weights(), try probe.weights(), try whole.weights())
    let tower = start.entries.keys.filter { $0.hasPrefix("img_encoder_q.model.") }
    #expect(!tower.isEmpty)
    for key in tower { #expect(try probed.tensor(key).array == start.tensor(key).array, "\(key)") }
    let block = "img_encoder_q.model.blocks.0.attn.qkv.weight"
    #expect(try tuned.tensor(block).array != start.tensor(block).array)
    let short = try train(options + ["--freeze_vit"], steps: 2, model: []).weights()
    let head = "img_encoder_q.global_embed.weight"
    #expect(try short.tensor(head).array != probed.tensor(head).array)
  }

  @Test func theImageTowerOfALightningFileNeedsNoText() throws {
    let options = ["--img_cls_ft", "--rsna", "--img_heads", "4"]
    let file = Self.fixtures + "/ckpt/tiny.ckpt"
    let run = try train(
      options + ["--pretrained_encoder", file, "--freeze_vit", "--whole_checkpoints"], model: [])
    try #require(run.result.status == 0, "\(run.result.errors)")
    let key = "img_encoder_q.model.blocks.1.mlp.fc1.weight"
    #expect(try run.weights().tensor(key).array == TorchArchive(file).tensor(key).array)
  }

  @Test func aClassifierGoesOnAndKnowsItsClasses() throws {
    let run = try train(["--img_cls_ft", "--rsna"])
    try #require(run.result.status == 0, "\(run.result.errors)")
    let on = try train(["--img_cls_ft", "--rsna", "--pretrained_model", run.path], model: [])
    try #require(on.result.status == 0, "\(on.result.errors)")
    let other = try train(["--img_cls_ft", "--five_cls", "--pretrained_model", run.path], model: [])
    #expect(other.result.status == 78 && other.result.errors.contains("pneumonia"), "\(other.result.errors)")
    let elsewhere = try evaluate(run.path, ["--dataset", "chexpert", "--five_cls"])
    #expect(elsewhere.status == 78 && elsewhere.errors.contains("class 'Atelectasis'"), "\(elsewhere.errors)")
    let pair = try Tool.run(["convert", run.path, "--to", "ckpt", "--out", Tool.scratch() + "/x.ckpt"])
    #expect(pair.status != 0 && pair.errors.contains("a classifier"), "\(pair.errors)")
  }

  @Test func aFourteenClassModelIsScoredAmongFive() throws {
    let run = try train(["--img_cls_ft"])
    try #require(run.result.status == 0, "\(run.result.errors)")
    let five = try evaluate(run.path, ["--five_cls"])
    try #require(five.status == 0, "\(five.errors)")
    requirePublishedLines(five.output, rows: 5)
    #expect(five.errors.contains("5 of the classifier's 14 classes"))
  }

  @Test func publishedWidthAndNames() throws {
    let run = try train(["--img_cls_ft", "--five_cls", "--compat", "reference"], steps: 2)
    try #require(run.result.status == 0, "\(run.result.errors)")
    #expect(
      try run.weights().entries["img_encoder_q.global_embed.weight"]?.shape.dimensions == [1000, 128])
    #expect(run.result.errors.contains("1000 outputs for 5 classes"))
    #expect(try run.metricNames().contains("train_acc5"))
    requirePublishedLines(run.result.output, rows: 5)
  }

  // MARK: - Class prompts

  @Test(arguments: [["--rsna"], ["--five_cls"], ["--five_cls", "--multi_label_loss", "--peft", "lora"]])
  func classPromptsAreTuned(_ options: [String]) throws {
    let run = try train(["--prompt_ft", "--class_wise", "--ctx_length", "4"] + options)
    try #require(run.result.status == 0, "\(run.result.errors)")
    let rows = options.contains("--rsna") ? 4 : 5
    requirePublishedLines(run.result.output, rows: rows)
    // On the classes of the run.
    let again = try evaluate(run.path)
    try #require(again.status == 0, "\(again.errors)")
    #expect(again.output == run.result.output)
    let names = try run.metricNames()
    #expect(names.contains(options.contains("--multi_label_loss") ? "train_acc" : "train_acc1"))
    #expect(names.contains("test_acc1"))
  }

  // MARK: - Losses of pairs

  @Test func siglipTrainsAShift() throws {
    let run = try train(["--loss", "siglip", "--linear_proj", "--multi_positive"])
    try #require(run.result.status == 0, "\(run.result.errors)")
    let file = try run.weights()
    let shift = try file.tensor("logit_bias").array[0]
    #expect(shift != -10 && abs(shift + 10) < 0.1)
    #expect(abs(try file.tensor("logit_scale").array[0] - Float(log(10.0))) < 0.1)
    let evaluated = try evaluate(run.path, ["--five_cls"])
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    let out = try Tool.scratch() + "/x.ckpt"
    let converted = try Tool.run(["convert", run.path, "--to", "ckpt", "--out", out])
    #expect(converted.status == 0 && converted.errors.contains("logit_bias"), "\(converted.errors)")
    #expect(try TorchArchive(out).entries["logit_bias"] == nil)
    // Back to the published loss, and to the sigmoid again.
    let plain = try train(["--pretrained_model", run.path], model: [])
    try #require(plain.result.status == 0, "\(plain.result.errors)")
    #expect(try plain.weights().entries["logit_bias"] == nil)
    let again = try train(["--pretrained_model", plain.path, "--loss", "siglip"], model: [])
    #expect(
      again.result.status == 0 && again.result.errors.contains("starts at -10"), "\(again.result.errors)")
  }

  @Test func equalCaptionsMakeADifferenceOnlyWhenAskedTo() throws {
    // Large enough batches that some captions come up twice.
    let common = ["--linear_proj", "--batch_size", "24"]
    let plain = try train(common)
    let equal = try train(common + ["--multi_positive"])
    try #require(plain.result.status == 0 && equal.result.status == 0, "\(equal.result.errors)")
    let key = "img_encoder_q.global_embed.weight"
    #expect(try plain.weights().tensor(key).array != equal.weights().tensor(key).array)
  }

  // MARK: - What does not go together

  @Test(arguments: [
    (["--rsna"], "--prompt_ft --class_wise"), (["--class_wise"], "without --prompt_ft"),
    (["--multi_label_loss"], "--multi_label_loss: with contrastive training"),
    (["--img_cls_ft", "--prompt_ft"], "--prompt_ft: with --img_cls_ft"),
    (["--img_cls_ft", "--peft", "lora"], "--peft: with --img_cls_ft"),
    (["--img_cls_ft", "--multi_positive"], "--multi_positive: with --img_cls_ft"),
    (["--img_cls_ft", "--loss", "siglip"], "--loss siglip: with --img_cls_ft"),
    (["--img_cls_ft", "--cached_negatives"], "--cached_negatives: with --img_cls_ft"),
    (["--prompt_ft", "--class_wise", "--gather_features"], "--gather_features: with --class_wise"),
    (["--img_cls_ft", "--five_cls", "--num_classes", "4"], "--num_classes: 4 for 5 classes"),
    (["--img_cls_ft", "--lora_r", "4"], "--lora_r"),
  ])
  func contradictionsAreOneLine(_ options: [String], _ text: String) throws {
    let run = try train(options)
    let lines = run.result.errors.split(separator: "\n").filter { $0.contains("error: ") }
    #expect(run.result.status == 78, "\(options): \(run.result.errors)")
    #expect(lines.count == 1 && lines[0].contains(text), "\(options): \(run.result.errors)")
    #expect(!FileManager.default.fileExists(atPath: run.path), "no run is started before all is checked")
  }

  @Test func evaluationsThatContradictTheModelAreRefused() throws {
    let pair = try train(["--linear_proj"], steps: 2)
    try #require(pair.result.status == 0, "\(pair.result.errors)")
    let wrong = try evaluate(pair.path, ["--img_cls_ft", "--five_cls"])
    #expect(wrong.status == 78 && wrong.errors.contains("a pair of towers"), "\(wrong.errors)")
    let start = try train(["--img_cls_ft", "--pretrained_model", pair.path], model: [])
    #expect(
      start.result.status == 78 && start.result.errors.contains("--pretrained_encoder"),
      "\(start.result.errors)")
    let classifier = try train(["--img_cls_ft", "--five_cls"], steps: 2)
    try #require(classifier.result.status == 0, "\(classifier.result.errors)")
    let tuned = try evaluate(classifier.path, ["--prompt_ft"])
    #expect(tuned.status == 78 && tuned.errors.contains("--prompt_ft"), "\(tuned.errors)")
    // The published way to say the same.
    let published = try Tool.run(
      [
        "train", "--eval", "--img_cls_ft", "--five_cls", "--pretrained_model", classifier.path, "--data_dir",
        PipelineTests.data,
      ], in: try Tool.scratch())
    #expect(published.status == 0 && published.output == classifier.result.output, "\(published.errors)")
  }
}
