import CleftFormats
import CleftTensor
import Foundation

extension AdapterFolder {
  /// Writes the same adapter under PEFT's current names; settings are kept word for word.
  ///
  /// Base weights that a whole checkpoint's keys bring along are left out.
  ///
  /// - Returns: one line for each key that was left out.
  public func rewrite(into folder: String, dtype: DType) throws -> [String] {
    var tensors: [(key: String, tensor: Tensor)] = []
    var left: [String] = []
    for key in file.entries.keys.sorted() {
      guard let name = Self.currentName(key) else {
        left.append("\(file.path): \(key): left out, it belongs to the base model")
        continue
      }
      tensors.append((name, try file.tensor(key)))
    }
    try FileSystem.makeFolder(folder)
    try SafeTensorsWriter.write(
      tensors, metadata: ["format": "pt"], dtype: dtype, to: folder + "/adapter_model.safetensors")
    try FileSystem.write(
      try FileSystem.read(path + "/adapter_config.json"), to: folder + "/adapter_config.json")
    return left
  }

  private static func currentName(_ key: String) -> String? {
    if key == "prompt_embeddings" || key.hasSuffix("prompt_encoder.default.embedding.weight") {
      return "prompt_embeddings"
    }
    guard [".lora_", ".ia3_"].contains(where: key.contains) else { return nil }
    var plain = AdapterKeys.plain(key, adapter: "default")
    if plain.hasSuffix(".lora_magnitude_vector.weight") { plain.removeLast(".weight".count) }
    return "base_model.model." + plain
  }
}
