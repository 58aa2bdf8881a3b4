import CleftTensor
import Foundation

/// Weights in several files, as Hugging Face publishes large models, read as one.
///
/// An index (`model.safetensors.index.json` or `pytorch_model.bin.index.json`) names for each tensor the file beside it
/// that holds it. All files are mapped at once; a tensor comes from its file when asked for.
/// - Source: Hugging Face Transformers, `save_pretrained` with `max_shard_size`.
public struct ShardedSafeTensors: WeightsFile {
  /// Where the index lies.
  public let path: String
  /// Tensors by key; an offset counts from the start of the tensor's shard.
  public let entries: [String: TensorEntry]
  /// The index's `metadata` as text, for example `total_size`.
  public let metadata: [String: String]
  /// Names of the shards, sorted.
  public let shards: [String]
  /// Keys that a shard holds but the index does not name, sorted; they are not in `entries`.
  public let unlisted: [String]
  private let shardOfKey: [String: String]
  private let files: [String: any WeightsFile]

  /// Opens every shard and checks that each holds what the index says.
  ///
  /// - Throws: `FormatError.missing` naming a shard that is not there, `.malformed` naming the shard and the key.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    let (map, metadata) = try Self.index(path)
    let folder = (path as NSString).deletingLastPathComponent
    var files: [String: any WeightsFile] = [:]
    for shard in Set(map.values).sorted() {
      files[shard] = try Self.shard(shard, in: folder, index: path)
    }
    var entries: [String: TensorEntry] = [:]
    for (key, shard) in map.sorted(by: { $0.key < $1.key }) {
      guard let entry = files[shard]?.entries[key] else {
        throw .malformed(
          Problem(
            "\(path): \(key)", found: "no such tensor in \(shard)", expected: "the shard to hold it",
            hint: "Index and shards are of different versions; fetch them again."))
      }
      entries[key] = entry
    }
    var unlisted: Set<String> = []
    for file in files.values { unlisted.formUnion(file.entries.keys.filter { map[$0] == nil }) }
    self.entries = entries
    self.metadata = metadata
    self.files = files
    self.unlisted = unlisted.sorted()
    shards = files.keys.sorted()
    shardOfKey = map
  }

  /// A tensor as float32, from its shard.
  public func tensor(_ key: String) throws(FormatError) -> Tensor { try file(key).tensor(key) }

  /// An integer tensor's values in row-major order, from its shard.
  public func integers(_ key: String) throws(FormatError) -> [Int] { try file(key).integers(key) }

  /// The shard that holds a tensor.
  public func holder(of key: String) -> String { shardOfKey[key].flatMap { files[$0]?.path } ?? path }

  /// Stamp of the shard that holds a tensor.
  public func stamp(of key: String) -> FileStamp? {
    shardOfKey[key].flatMap { files[$0]?.stamp(of: key) }
  }

  private func file(_ key: String) throws(FormatError) -> any WeightsFile {
    guard let file = shardOfKey[key].flatMap({ files[$0] }) else { throw noSuchTensor(key) }
    return file
  }

  private static func shard(
    _ name: String, in folder: String, index: String
  ) throws(FormatError) -> any WeightsFile {
    guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
      throw .malformed(
        Problem(index, found: "a shard named '\(name)'", expected: "the name of a file beside the index"))
    }
    let path = folder.isEmpty ? name : "\(folder)/\(name)"
    guard FileSystem.exists(path) else {
      throw .missing(
        Problem(
          path, found: "no such file", expected: "a shard that \(index) names",
          hint: "Fetch the rest of the model."))
    }
    return try WeightsFiles.openSingle(path)
  }

  private static func index(
    _ path: String
  ) throws(FormatError) -> (map: [String: String], metadata: [String: String]) {
    let data = try FileSystem.read(path)
    guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
      let map = json["weight_map"] as? [String: String], !map.isEmpty
    else {
      throw .malformed(
        Problem(
          path, found: "no 'weight_map' from tensor to file", expected: "an index of shards",
          hint: "Pass the weights file itself, or its folder."))
    }
    let values = json["metadata"] as? [String: Any] ?? [:]
    return (map, values.mapValues { ($0 as? String) ?? "\($0)" })
  }
}
