import CleftTensor

/// A file of tensors by key, or several read as one, whatever the format.
public protocol WeightsFile {
  /// Where the file lies.
  var path: String { get }
  /// Types and shapes by key.
  var entries: [String: TensorEntry] { get }
  /// Short texts that the file carries beside its tensors.
  var metadata: [String: String] { get }
  /// A tensor as float32.
  func tensor(_ key: String) throws(FormatError) -> Tensor
  /// An integer tensor's values in row-major order.
  func integers(_ key: String) throws(FormatError) -> [Int]
  /// Path of the file that holds a tensor: one of the shards, where there are several files.
  func holder(of key: String) -> String
  /// Stamp of the file that holds a tensor, from when it was opened; nil if there is no such tensor.
  func stamp(of key: String) -> FileStamp?
}

extension WeightsFile {
  /// None, unless the format has a place for them.
  public var metadata: [String: String] { [:] }

  /// A tensor as float32, counters and other integers included.
  public func number(_ key: String) throws(FormatError) -> Tensor {
    guard let entry = entries[key], !entry.dtype.isFloatingPoint else { return try tensor(key) }
    return Tensor(entry.shape, try integers(key).map(Float.init))
  }

  /// What is said of a key that the file does not hold.
  func noSuchTensor(_ key: String) -> FormatError {
    let near = nearestNames(to: key, among: entries.keys).joined(separator: ", ")
    return .malformed(Problem("\(path): \(key)", found: "no such tensor", hint: "Nearest: \(near)."))
  }
}

extension SafeTensorsFile: WeightsFile {}

/// Opening weights by what a file starts with, not by its name.
public enum WeightsFiles {
  /// Names under which weights are published, in the order in which a folder is searched.
  public static let names = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    "adapter_model.safetensors", "adapter_model.bin",
  ]

  /// Opens a safetensors file, a PyTorch file, an index of shards, or a folder with one of `names`.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` for anything else.
  public static func open(_ path: String) throws(FormatError) -> any WeightsFile {
    guard FileSystem.isFolder(path) else {
      return try isIndex(path) ? ShardedSafeTensors(path) : openSingle(path)
    }
    guard let name = names.first(where: { FileSystem.exists("\(path)/\($0)") }) else {
      throw .missing(
        Problem(
          path, found: "a folder without weights", expected: names.joined(separator: ", "),
          hint: "Pass the weights file itself if it has another name."))
    }
    return try open("\(path)/\(name)")
  }

  /// Opens a file that holds its tensors itself.
  static func openSingle(_ path: String) throws(FormatError) -> any WeightsFile {
    let file = try MappedFile(path)
    if file.count >= 4, file.base.loadUnaligned(as: UInt32.self) == 0x0403_4B50 {
      return try TorchArchive(path)
    }
    let start = UnsafeRawBufferPointer(start: file.base, count: min(file.count, 64))
    return try LegacyTorchFile.begins(start) ? TorchArchive(path) : SafeTensorsFile(path)
  }

  /// Whether a file is JSON: a safetensors file that starts with a brace has a zero in its eighth byte.
  private static func isIndex(_ path: String) throws(FormatError) -> Bool {
    let file = try MappedFile(path)
    guard file.base.load(as: UInt8.self) == UInt8(ascii: "{") else { return false }
    return file.count < 8 || file.base.load(fromByteOffset: 7, as: UInt8.self) != 0
  }
}
