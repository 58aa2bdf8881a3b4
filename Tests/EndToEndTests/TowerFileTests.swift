import CleftFormats
import CleftTensor
import Foundation
import Testing

/// Towers from weight files in the published formats, cut out of a fixture.
@Suite struct TowerFileTests {
  private func train(
    _ image: String, _ text: String, in folder: String, _ extra: [String] = []
  ) throws -> Tool.Result {
    try Tool.run(
      [
        "train", "--data_dir", PipelineTests.data, "--img_encoder", image, "--text_model", text,
        "--image_size", "56",
        "--batch_size", "4", "--devices", "1", "--warm_up", "0", "--max_steps", "1", "--peft", "lora",
        "--emb_dim", "32",
        "--linear_proj", "--pool_feat", "--img_heads", "4",
      ] + extra, in: folder)
  }

  @Test func publishedFilesAreReadAndStayInAWholeCheckpoint() throws {
    let folder = try Tool.scratch()
    let (image, text) = try TowerFiles.write(into: folder)
    let result = try train(image, text, in: folder, ["--whole_checkpoints"])
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
    let (image, text) = try TowerFiles.write(into: folder)
    let swapped = try train(text + "/model.safetensors", text, in: folder)
    #expect(swapped.status == 65)
    #expect(swapped.errors.contains("DINOv2"), "\(swapped.errors)")
    try FileSystem.write(try FileSystem.read(image).prefix(5000), to: image)
    let truncated = try train(image, text, in: folder)
    #expect(truncated.status == 65)
    #expect(truncated.errors.contains("vit.safetensors"))
  }
}
