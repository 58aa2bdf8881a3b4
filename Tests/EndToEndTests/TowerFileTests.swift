import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Towers from weight files in the published formats, cut out of a fixture.
@Suite struct TowerFileTests {
  /// Writes an image tower's file and a Hugging Face folder of a text tower.
  private func towers(_ folder: String) throws -> (image: String, text: String) {
    let fixture = Tool.root.appendingPathComponent("Tests/Fixtures/full").path
    let weights = try SafeTensorsFile(fixture + "/weights.safetensors")
    func tensors(_ prefix: String) throws -> [(key: String, tensor: Tensor)] {
      try weights.entries.keys.filter { $0.hasPrefix(prefix) }.sorted().map {
        (String($0.dropFirst(prefix.count)), try weights.tensor($0))
      }
    }
    let (image, text) = (folder + "/vit.safetensors", folder + "/gpt")
    try FileSystem.makeFolder(text)
    try SafeTensorsWriter.write(tensors("img_encoder_q.model."), to: image)
    // The published text weights leave out the `transformer.` in front and carry mask buffers.
    let plain = try tensors("text_encoder_q.model.transformer.") + [("h.0.attn.bias", Tensor([1, 1, 4, 4]))]
    try SafeTensorsWriter.write(plain, to: text + "/model.safetensors")
    let config = """
      {"vocab_size": 512, "n_positions": 96, "n_embd": 64, "n_layer": 2, "n_head": 4, "eos_token_id": 511, \
      "model_type": "gpt2"}
      """
    try FileSystem.write(Data(config.utf8), to: text + "/config.json")
    let tokenizer = Tool.root.appendingPathComponent("Tests/Fixtures/tokenizer/tiny/tokenizer.json").path
    try FileManager.default.copyItem(atPath: tokenizer, toPath: text + "/tokenizer.json")
    return (image, text)
  }

  private func train(_ image: String, _ text: String, in folder: String) throws -> Tool.Result {
    try Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--img_encoder", image, "--text_model", text,
        "--image_size", "56",
        "--batch_size", "4", "--devices", "1", "--warm_up", "0", "--max_steps", "1", "--peft", "lora",
        "--emb_dim", "32",
        "--linear_proj", "--pool_feat", "--img_heads", "4",
      ], in: folder)
  }

  @Test func publishedFilesAreReadAndStayInTheCheckpoint() throws {
    let folder = try Tool.scratch()
    let (image, text) = try towers(folder)
    let result = try train(image, text, in: folder)
    try #require(result.status == 0, "\(result.errors)")
    let run = folder + "/logs/CLEFT/" + (try #require(FileSystem.list(folder + "/logs/CLEFT").first))
    let saved = try SafeTensorsFile(run + "/checkpoints/step-00000001/model.safetensors")
    let key = "text_encoder_q.model.transformer.h.1.mlp.c_fc.weight"
    let original = try SafeTensorsFile(text + "/model.safetensors").tensor("h.1.mlp.c_fc.weight")
    #expect(try saved.tensor(key).array == original.array, "frozen under the adapter")
    let moved = try saved.tensor("img_encoder_q.model.blocks.0.attn.qkv.weight").array
    let start = try SafeTensorsFile(image).tensor("blocks.0.attn.qkv.weight").array
    #expect(moved != start)
    #expect(zip(moved, start).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  @Test func aFileOfAnotherModelIsRefusedByName() throws {
    let folder = try Tool.scratch()
    let (image, text) = try towers(folder)
    let swapped = try train(text + "/model.safetensors", text, in: folder)
    #expect(swapped.status == 65)
    #expect(swapped.errors.contains("DINOv2"), "\(swapped.errors)")
    try FileSystem.write(try FileSystem.read(image).prefix(5000), to: image)
    let truncated = try train(image, text, in: folder)
    #expect(truncated.status == 65)
    #expect(truncated.errors.contains("vit.safetensors"))
  }
}
