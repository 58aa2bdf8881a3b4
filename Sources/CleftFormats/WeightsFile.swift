import CleftTensor

/// A file of tensors by key, whatever its format.
public protocol WeightsFile {
  /// Where the file lies.
  var path: String { get }
  /// Types and shapes by key.
  var entries: [String: TensorEntry] { get }
  /// A tensor as float32.
  func tensor(_ key: String) throws(FormatError) -> Tensor
}

extension SafeTensorsFile: WeightsFile {}

/// Opening weights by what a file starts with, not by its name.
public enum WeightsFiles {
  /// Opens a safetensors file or a PyTorch archive.
  ///
  /// - Throws: `FormatError.missing`, or `.malformed` for anything else.
  public static func open(_ path: String) throws(FormatError) -> any WeightsFile {
    let file = try MappedFile(path)
    if file.count >= 4, file.base.loadUnaligned(as: UInt32.self) == 0x0403_4B50 {
      return try TorchArchive(path)
    }
    if file.count >= 2, file.base.load(as: UInt8.self) == 0x80,
      file.base.load(fromByteOffset: 1, as: UInt8.self) < 6
    {
      throw .malformed(
        Problem(
          path, found: "a PyTorch file from before version 1.6", expected: "a zip archive",
          hint: "Load and save it once with a current PyTorch."))
    }
    return try SafeTensorsFile(path)
  }
}
