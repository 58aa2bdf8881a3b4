import Foundation

/// Where a tensor can be read again: a file that was there before, and the key in it.
public struct TensorOrigin: Sendable, Hashable {
  /// The file, from the root.
  public let path: String
  /// The file's stamp when it was opened.
  public let stamp: FileStamp
  /// The tensor's key in the file.
  public let key: String

  /// The file as it was.
  public var file: File { File(path: path, stamp: stamp) }

  /// One version of a file.
  public struct File: Sendable, Hashable {
    /// Where it lies, from the root.
    public let path: String
    /// Its stamp.
    public let stamp: FileStamp
  }

  /// Makes an origin from its parts.
  public init(path: String, stamp: FileStamp, key: String) {
    self.path = path
    self.stamp = stamp
    self.key = key
  }
}

extension WeightsFile {
  /// The file itself holds every tensor.
  public func holder(of key: String) -> String { path }

  /// Where a tensor can be read again; nil if there is no such tensor.
  public func origin(of key: String) -> TensorOrigin? {
    guard entries[key] != nil, let stamp = stamp(of: key) else { return nil }
    return TensorOrigin(path: URL(fileURLWithPath: holder(of: key)).path, stamp: stamp, key: key)
  }
}
