import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Other programs' files in, and files for other programs out.
@Suite struct InterchangeTests {
  private static let fixtures = Tool.root.appendingPathComponent("Tests/Fixtures").path

  /// One training step on towers from files; the run's folder.
  private func run(
    _ image: String, _ text: String, in folder: String, _ options: [String]
  ) throws -> (folder: String, result: Tool.Result) {
    let result = try Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--img_encoder", image, "--text_model", text,
        "--image_size", "56", "--batch_size", "4", "--devices", "1", "--warm_up", "0", "--max_steps", "2",
        "--emb_dim", "32", "--linear_proj", "--pool_feat", "--img_heads", "4", "--learning_rate", "1e-3",
      ] + options, in: folder)
    let newest = FileSystem.list(folder + "/logs/CLEFT").last ?? ""
    return (folder + "/logs/CLEFT/" + newest, result)
  }

  private func scores(_ model: String, _ options: [String], in folder: String) throws -> String {
    let result = try Tool.run(
      ["eval", model, "--data_dir", PipelineTests.data, "--five_cls", "--json"] + options, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    return result.output
  }

  @Test func aRunBecomesALightningFileThatGivesItsScores() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    let trained = try run(image, text, in: folder, ["--peft", "lora"])
    try #require(trained.result.status == 0, "\(trained.result.errors)")
    let file = folder + "/run.ckpt"
    let converted = try Tool.run(["convert", trained.folder, "--to", "ckpt", "--out", file])
    try #require(converted.status == 0, "\(converted.errors)")
    let keys = Set(try TorchArchive(file).entries.keys)
    let published = Set(try TorchArchive(Self.fixtures + "/ckpt/tiny_bf16_peft06.ckpt").entries.keys)
    // The image towers of the two fixtures name their special tokens differently.
    func isCommon(_ key: String) -> Bool {
      ["register_tokens", "reg_token", "mask_token"].allSatisfy { !key.contains($0) }
    }
    #expect(published.symmetricDifference(keys).filter(isCommon).isEmpty)
    let options = ["--text_model", text, "--img_heads", "4", "--image_size", "56"]
    #expect(try scores(file, options, in: folder) == scores(trained.folder, [], in: folder))

    // Prompt tuning starts from the file as the published command does.
    let tuned = try run(
      image, text, in: folder,
      [
        "--peft", "lora", "--prompt_ft", "--freeze_llm", "--sgd", "--ctx_init", "caption",
        "--pretrained_encoder", file,
      ])
    #expect(tuned.result.status == 0, "\(tuned.result.errors)")
    let again = folder + "/tuned.ckpt"
    _ = try Tool.run(["convert", tuned.folder, "--to", "ckpt", "--out", again])
    let prefix = "text_encoder_q.model."
    let names = try TorchArchive(again).entries.keys
    for name in [
      "prompt_encoder.default.embedding.weight", "word_embeddings.weight",
      "base_model.base_model.model.transformer.h.0.attn.c_attn.lora_A.default.weight",
    ] { #expect(names.contains(prefix + name), "\(name)") }
    #expect(try scores(again, options, in: folder) == scores(tuned.folder, [], in: folder))
  }

  @Test func aPublishedCheckpointIsEvaluatedAndConverted() throws {
    let folder = try Tool.scratch()
    let (_, text) = try TowerFiles.write(into: folder)
    let config = try String(contentsOfFile: text + "/config.json", encoding: .utf8)
      .replacing("\"model_type\"", with: "\"scale_attn_by_inverse_layer_idx\": true, \"model_type\"")
    try FileSystem.write(Data(config.utf8), to: text + "/config.json")
    let options = ["--text_model", text, "--img_heads", "4", "--image_size", "56"]
    let file = Self.fixtures + "/ckpt/tiny.ckpt"
    let plain = try scores(file, options, in: folder)
    #expect(plain.contains("accuracy"))
    let merged = try Tool.run(["merge", file, "--out", folder + "/merged"] + options)
    try #require(merged.status == 0, "\(merged.errors)")
    #expect(try scores(folder + "/merged", [], in: folder).contains("accuracy"))
    let adapter = try Tool.run(["convert", file, "--to", "peft", "--out", folder + "/peft"] + options)
    try #require(adapter.status == 0, "\(adapter.errors)")
    let inspected = try Tool.run(["inspect", folder + "/peft"])
    #expect(inspected.output.contains("base_model.model.transformer.h.0.attn.c_attn.lora_A.weight"))
    #expect(inspected.output.contains("\"peft_type\" : \"LORA\""))
    let looked = try Tool.run(["inspect", file, "--hashes"])
    #expect(looked.output.contains("97 tensors") && looked.output.contains("hyper_parameters"))
  }

  @Test(arguments: ["llama", "bert"], ["lora", "ia3", "prefix"])
  func otherLanguageModelsTrain(_ kind: String, _ method: String) throws {
    let folder = try Tool.scratch()
    let (image, _) = try TowerFiles.write(into: folder)
    let text = folder + "/" + kind
    if kind == "llama" { try TowerFiles.writeLlama(into: text) } else { try TowerFiles.writeBert(into: text) }
    let trained = try run(
      image, text, in: folder,
      ["--llm_type", kind, "--text_layers", "2", "--peft", method, "--grad_ckpt", "--img_peft", "lora"])
    try #require(trained.result.status == 0, "\(trained.result.errors)")
    #expect(try scores(trained.folder, [], in: folder).contains("accuracy"))
    let tuned = try run(
      image, text, in: folder,
      ["--llm_type", kind, "--prompt_ft", "--ctx_length", "4", "--pretrained_encoder", trained.folder])
    #expect(tuned.result.status == 0, "\(tuned.result.errors)")
  }

  @Test func everyAdapterFlagReachesTheModel() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    for options in [
      ["--peft", "dora", "--lora_r", "2", "--target_modules", "c_attn,mlp.c_fc"],
      ["--peft", "pissa"], ["--peft", "lora", "--use_rslora", "--init_lora_weights", "gaussian"],
      ["--peft", "prefix", "--prefix_projection", "--num_virtual_tokens", "3"],
      ["--peft", "adalora", "--lora_r", "2"], ["--adapter", Self.fixtures + "/adapters/lora"],
      ["--peft", "lora", "--train_embed", "--unlock_ln", "--num_freeze_blocks", "1", "--random_vit"],
      ["--peft", "lora", "--img_mask_ratio", "0.5", "--drop_path", "0.2", "--precision", "bf16-true"],
    ] {
      let trained = try run(image, text, in: folder, options)
      #expect(trained.result.status == 0, "\(options): \(trained.result.errors)")
    }
  }

  @Test func whatAFileCanGetWrongIsOneLineWithItsName() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    func failure(_ image: String, _ options: [String] = ["--peft", "lora"]) throws -> String {
      let result = try run(image, text, in: folder, options).result
      #expect(result.status == 65, "\(result.errors)")
      let lines = result.errors.split(separator: "\n").filter { $0.contains("error") }
      #expect(lines.count == 1, "\(result.errors)")
      return lines.first.map(String.init) ?? ""
    }
    #expect(try failure(image, ["--peft", "lora", "--target_modules", "c_atn"]).contains("c_attn"))
    #expect(try failure(Self.fixtures + "/torch/attack.pth").contains("pickle that calls"))
    let weights = try SafeTensorsFile(image)
    func rewrite(_ change: (inout [String: Tensor]) -> Void) throws -> String {
      var tensors: [String: Tensor] = [:]
      for key in weights.entries.keys { tensors[key] = try weights.tensor(key) }
      change(&tensors)
      let path = folder + "/changed.safetensors"
      try SafeTensorsWriter.write(tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: path)
      return path
    }
    let missing = try failure(try rewrite { $0["norm.wieght"] = $0.removeValue(forKey: "norm.weight") })
    #expect(missing.contains("norm.weight: missing") && missing.contains("norm.wieght"))
    #expect(try failure(try rewrite { $0["extra"] = Tensor([1]) }).contains("extra: a key"))
    let shape = try failure(try rewrite { $0["norm.bias"] = Tensor([3]) })
    #expect(shape.contains("norm.bias: shape 3; expected shape 64"))
    let header =
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"
    var bytes = Data()
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
    try FileSystem.write(bytes + Data(header.utf8) + Data(count: 8), to: folder + "/overlap.safetensors")
    #expect(try failure(folder + "/overlap.safetensors").contains("overlap"))

    // Asked for, a file that does not fit is taken as far as it goes, and every key is listed.
    let loose = try run(
      try rewrite { $0["extra"] = Tensor([1]) }, text, in: folder, ["--peft", "lora", "--non_strict"])
    #expect(
      loose.result.status == 0 && loose.result.errors.contains("extra: not used"), "\(loose.result.errors)")
  }

  @Test func countsOfThePublishedRecipes() throws {
    let counted = try Tool.run(["inspect", "--params"])
    for number in ["2,694,083,841", "99,836,161", "90,907,649", "2,694,160,641", "89,682,177", "87,051,777"] {
      #expect(counted.output.contains(number), "\(number)")
    }
    let one = try Tool.run(["inspect", "--params", "--peft", "ia3", "--linear_proj", "--pool_feat", "--json"])
    #expect(one.output.contains("97788161") && one.output.contains("88859649"))
  }

  /// Half the precision costs at most twice what it costs PyTorch, tensor by tensor, gradients included.
  @Test(arguments: [("lora", 57), ("full", 48), ("prompt_ft", 52), ("ia3", 57), ("prefix", 54)])
  func bfloat16StaysWithinTwicePyTorchsOwnError(_ name: String, _ count: Int) throws {
    let result = try Tool.run(
      ["parity", Self.fixtures + "/" + name, "--bf16_errors", Self.fixtures + "/bf16/errors.json"])
    #expect(
      result.status == 0 && result.output.contains("\(count) of \(count)"), "\(result.output.suffix(400))")
  }

  /// What the published program's keys cannot tell, the scale of a correction, goes into the values.
  @Test(arguments: [
    ["--peft", "lora", "--lora_alpha", "200", "--pool_token", "last_word"],
    ["--peft", "lora", "--use_rslora", "--img_peft", "lora"], ["--peft", "pissa"],
    ["--peft", "adalora", "--lora_r", "2", "--lora_alpha", "30"],
    ["--peft", "prefix", "--prefix_projection", "--num_virtual_tokens", "3"],
  ])
  func everyModelSurvivesTheWayThroughALightningFile(_ options: [String]) throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    let trained = try run(image, text, in: folder, options)
    try #require(trained.result.status == 0, "\(trained.result.errors)")
    let expected = try probabilities(trained.folder, [], in: folder)
    for name in ["run.ckpt", "run.safetensors"] {
      let file = folder + "/" + name
      let format = name.hasSuffix("ckpt") ? "ckpt" : "safetensors"
      let converted = try Tool.run(["convert", trained.folder, "--to", format, "--out", file])
      try #require(converted.status == 0, "\(converted.errors)")
      let found = try probabilities(file, ["--text_model", text], in: folder)
      #expect(
        found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 1 }, "\(name)")
    }
    let again = try Tool.run(["convert", trained.folder, "--to", "ckpt", "--out", folder + "/run.ckpt"])
    #expect(again.status == 74 && again.errors.contains("--overwrite"), "what is there stays")
  }

  /// Percentages in the picture of the result, which tell models apart that rank alike.
  private func probabilities(_ model: String, _ options: [String], in folder: String) throws -> [Int] {
    let picture = folder + "/" + UUID().uuidString + ".svg"
    _ = try scores(model, options + ["--picture", picture], in: folder)
    let text = try String(contentsOfFile: picture, encoding: .utf8)
    return text.matches(of: /([0-9]+) %/).compactMap { Int($0.1) }
  }

  @Test func optionsThatACheckpointOverrulesAreErrors() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    let trained = try run(image, text, in: folder, ["--peft", "lora"])
    try #require(trained.result.status == 0, "\(trained.result.errors)")
    for options in [
      ["--adapter", "nope"], ["--img_peft", "lora"], ["--peft", "lora", "--lora_r", "99"], ["--random_vit"],
      ["--text_layers", "1"], ["--llm_type", "llama"], ["--peft", "ia3"], ["--target_modules", "c_fc"],
    ] {
      let result = try Tool.run(
        ["eval", trained.folder, "--data_dir", PipelineTests.data, "--five_cls"] + options, in: folder)
      let isNamed = options.contains { $0.hasPrefix("--") && result.errors.contains($0) }
      #expect(result.status == 78 && isNamed, "\(options): \(result.errors)")
    }
    for options in [
      ["--lora_r", "4"], ["--peft", "ia3", "--lora_r", "4"],
      ["--peft", "prefix", "--target_modules", "c_attn"],
      ["--peft", "prefix", "--num_virtual_tokens", "90"], ["--peft", "lora", "--text_layers", "9"],
    ] {
      let result = try run(image, text, in: folder, options).result
      #expect(result.status == 78, "\(options): \(result.errors)")
    }
  }

  @Test func sizesThatCannotBeAreRefusedBeforeTheyAreUsed() throws {
    let folder = try Tool.scratch()
    let (_, text) = try TowerFiles.write(into: folder)
    let config = try String(contentsOfFile: text + "/config.json", encoding: .utf8)
    for (old, new) in [
      ("\"n_head\": 4", "\"n_head\": 0"), ("\"n_layer\": 2", "\"n_layer\": -1"),
      ("\"n_embd\": 64", "\"n_embd\": 9223372036854775807"),
      ("\"vocab_size\": 512", "\"vocab_size\": -9223372036854775808"),
    ] {
      try FileSystem.write(Data(config.replacing(old, with: new).utf8), to: text + "/config.json")
      let result = try Tool.run(["convert", text, "--to", "hf", "--out", folder + "/out"])
      #expect(result.status == 65 && result.errors.contains("config.json"), "\(new): \(result.errors)")
    }
  }

  @Test func trainedEmbeddingsInAnAdapterFolderAreTaken() throws {
    let folder = try Tool.scratch()
    let source = Self.fixtures + "/adapters"
    let (base, adapter) = (folder + "/base", folder + "/adapter")
    for name in [base, adapter] { try FileSystem.makeFolder(name) }
    try FileSystem.write(try FileSystem.read(source + "/base.safetensors"), to: base + "/model.safetensors")
    try FileSystem.write(try FileSystem.read(source + "/base_config.json"), to: base + "/config.json")
    try FileSystem.write(
      try FileSystem.read(source + "/lora/adapter_config.json"), to: adapter + "/adapter_config.json")
    let lora = try SafeTensorsFile(source + "/lora/adapter_model.safetensors")
    let table = Tensor([512, 64], repeating: 0.25)
    let tensors = try lora.entries.keys.sorted().map { ($0, try lora.tensor($0)) }
    try SafeTensorsWriter.write(
      tensors + [("base_model.model.transformer.wte.weight", table)],
      to: adapter + "/adapter_model.safetensors")
    let merged = try Tool.run(
      ["merge", "--text_model", base, "--adapter", adapter, "--out", folder + "/merged"])
    try #require(merged.status == 0, "\(merged.errors)")
    let file = try SafeTensorsFile(folder + "/merged/model.safetensors")
    #expect(try file.tensor("transformer.wte.weight").array == table.array)
    let expected = try SafeTensorsFile(source + "/expected.safetensors")
    let weight = try file.tensor("transformer.h.0.attn.c_attn.weight").array
    let golden = try expected.tensor("lora.merged.h.0.attn.c_attn.weight").array
    #expect(zip(weight, golden).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
