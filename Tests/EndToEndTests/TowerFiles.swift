import CleftFormats
import CleftTensor
import Foundation

/// Small towers in the published files' formats.
enum TowerFiles {
  /// Writes an image tower's file and a Hugging Face folder of a text tower.
  static func write(into folder: String) throws -> (image: String, text: String) {
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

  /// Writes a Hugging Face folder of a random two-block LLaMA with shared keys, and its tokenizer.
  static func writeLlama(into folder: String) throws {
    var tensors = Random()
    tensors.add("model.embed_tokens.weight", [600, 32])
    for block in 0..<2 {
      let prefix = "model.layers.\(block)."
      for (name, shape) in [
        ("self_attn.q_proj", Shape([32, 32])), ("self_attn.k_proj", [16, 32]),
        ("self_attn.v_proj", [16, 32]),
        ("self_attn.o_proj", [32, 32]), ("mlp.gate_proj", [48, 32]), ("mlp.up_proj", [48, 32]),
        ("mlp.down_proj", [32, 48]),
      ] { tensors.add(prefix + name + ".weight", shape) }
      for name in ["input_layernorm", "post_attention_layernorm"] {
        tensors.add(prefix + name + ".weight", [32])
      }
    }
    tensors.add("model.norm.weight", [32])
    tensors.add("lm_head.weight", [600, 32])
    try tensors.write(
      into: folder, tokenizer: "llama",
      config: """
        {"model_type": "llama", "vocab_size": 600, "hidden_size": 32, "intermediate_size": 48, \
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, \
        "max_position_embeddings": 128, "eos_token_id": 2, "bos_token_id": 1}
        """)
  }

  /// Writes a Hugging Face folder of a random two-block BERT with its pooler, and its tokenizer.
  static func writeBert(into folder: String) throws {
    var tensors = Random()
    for (name, rows) in [("word", 412), ("position", 96), ("token_type", 2)] {
      tensors.add("bert.embeddings.\(name)_embeddings.weight", [rows, 32])
    }
    func norm(_ name: String) {
      tensors.add(name + ".weight", [32])
      tensors.add(name + ".bias", [32])
    }
    norm("bert.embeddings.LayerNorm")
    for block in 0..<2 {
      let prefix = "bert.encoder.layer.\(block)."
      for (name, shape) in [
        ("attention.self.query", Shape([32, 32])), ("attention.self.key", [32, 32]),
        ("attention.self.value", [32, 32]), ("attention.output.dense", [32, 32]),
        ("intermediate.dense", [64, 32]), ("output.dense", [32, 64]),
      ] {
        tensors.add(prefix + name + ".weight", shape)
        tensors.add(prefix + name + ".bias", [shape[0]])
      }
      norm(prefix + "attention.output.LayerNorm")
      norm(prefix + "output.LayerNorm")
    }
    tensors.add("bert.pooler.dense.weight", [32, 32])
    try tensors.write(
      into: folder, tokenizer: "bert",
      config: """
        {"model_type": "bert", "vocab_size": 412, "hidden_size": 32, "intermediate_size": 64, \
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 96, "type_vocab_size": 2}
        """)
  }

  /// Tensors of small random numbers on their way into a folder.
  private struct Random {
    private var tensors: [(key: String, tensor: Tensor)] = []

    mutating func add(_ key: String, _ shape: Shape) {
      var generator = RandomKey(seed: 1).split(name: key).generator
      let center: Float = shape.rank == 1 && key.hasSuffix("weight") ? 1 : 0
      tensors.append(
        (key, Tensor(shape, (0..<shape.count).map { _ in center + 0.05 * Float(generator.normal()) })))
    }

    func write(into folder: String, tokenizer: String, config: String) throws {
      try FileSystem.makeFolder(folder)
      try SafeTensorsWriter.write(tensors, to: folder + "/model.safetensors")
      try FileSystem.write(Data(config.utf8), to: folder + "/config.json")
      let source = Tool.root.appendingPathComponent("Tests/Fixtures/tokenizer/\(tokenizer)/tokenizer.json")
        .path
      try FileSystem.write(try FileSystem.read(source), to: folder + "/tokenizer.json")
    }
  }
}
