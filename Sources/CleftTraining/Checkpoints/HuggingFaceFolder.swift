import CleftFormats
import CleftModels
import CleftNN
import CleftTensor
import Foundation

/// Text towers as Hugging Face stores them: `config.json` with `model.safetensors`, and the tokenizer's files.
public enum HuggingFaceFolder {
  /// Writes a tower.
  ///
  /// - Parameters:
  ///   - original: a `config.json` whose other fields are kept; nil writes what the configuration tells.
  ///   - dtype: type of the numbers.
  public static func write(
    _ tower: any TextTower, config: any TextTowerConfig, original: String? = nil, dtype: DType,
    into folder: String
  ) throws {
    try FileSystem.makeFolder(folder)
    let tensors = tower.cells().map { (key: $0.path, tensor: $0.cell.value) }
    try SafeTensorsWriter.write(
      tensors, metadata: ["format": "pt"], dtype: dtype, to: folder + "/model.safetensors")
    var fields = try original.flatMap { try object($0) } ?? [:]
    let own = try JSONSerialization.jsonObject(with: Data(jsonText(TextTowerFile(config)).utf8))
    for (key, value) in own as? [String: Any] ?? [:] where fields[key] == nil && !key.hasPrefix("cleft_") {
      fields[key] = value
    }
    // One dropout stands for the several that Hugging Face tells apart.
    for key in otherDropouts[type(of: config).modelType] ?? [] where fields[key] == nil {
      fields[key] = Double(config.dropout)
    }
    // GPT-2's own default is outside a smaller vocabulary.
    if config is GPTConfig, fields["bos_token_id"] == nil { fields["bos_token_id"] = config.paddingID }
    fields["torch_dtype"] = nil
    fields["dtype"] = dtypeNames[dtype] ?? "float32"
    let options: JSONSerialization.WritingOptions = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = try JSONSerialization.data(withJSONObject: fields, options: options)
    try FileSystem.write(data + Data("\n".utf8), to: folder + "/config.json")
  }

  /// Copies a tokenizer's files, those that are there.
  public static func copyTokenizer(from source: String, to folder: String) throws {
    let names = [
      "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model",
      "added_tokens.json", "special_tokens_map.json",
    ]
    for name in names where FileSystem.exists("\(source)/\(name)") {
      try FileSystem.write(try FileSystem.read("\(source)/\(name)"), to: "\(folder)/\(name)")
    }
  }

  private static let otherDropouts = [
    "gpt2": ["attn_pdrop", "embd_pdrop"], "bert": ["attention_probs_dropout_prob"],
  ]
  private static let dtypeNames: [DType: String] = [
    .float32: "float32", .bfloat16: "bfloat16", .float16: "float16",
  ]

  private static func object(_ path: String) throws -> [String: Any]? {
    try JSONSerialization.jsonObject(with: try FileSystem.read(path)) as? [String: Any]
  }
}
