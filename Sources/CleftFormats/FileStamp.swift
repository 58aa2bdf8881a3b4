import Foundation
import Glibc

/// Size, times and place on the disk of a file: what tells that it is still the same one, without reading it.
public struct FileStamp: Sendable, Hashable {
  /// Bytes in the file.
  public let byteCount: Int
  /// Time of its last change, in nanoseconds since 1970.
  public let modifiedNanoseconds: Int
  /// Time of the last change of the file or of what the system notes about it, in nanoseconds since 1970; nobody can set
  /// it.
  public let changedNanoseconds: Int
  /// Number of the disk.
  public let device: UInt
  /// Number of the file on its disk.
  public let inode: UInt

  /// Makes a stamp from its parts.
  public init(
    byteCount: Int, modifiedNanoseconds: Int, changedNanoseconds: Int, device: UInt, inode: UInt
  ) {
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
    self.changedNanoseconds = changedNanoseconds
    self.device = device
    self.inode = inode
  }

  /// The stamp of a regular file; nil if there is none.
  public init?(of path: String) {
    var info = stat()
    guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
    self.init(info)
  }

  /// The stamp in what the system says of a file.
  init(_ info: stat) {
    byteCount = Int(info.st_size)
    modifiedNanoseconds = info.st_mtim.tv_sec * 1_000_000_000 + info.st_mtim.tv_nsec
    changedNanoseconds = info.st_ctim.tv_sec * 1_000_000_000 + info.st_ctim.tv_nsec
    device = UInt(info.st_dev)
    inode = UInt(info.st_ino)
  }

  /// Whether both are of one file on the disk, changed or not; a new file under an old name is another one.
  public func isSameFile(as other: FileStamp) -> Bool { device == other.device && inode == other.inode }
}
