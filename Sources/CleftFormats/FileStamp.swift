import Foundation
import Glibc
import Synchronization

/// Size and time of a file: what tells that it is still the same one, without reading it.
public struct FileStamp: Sendable, Hashable {
  /// Bytes in the file.
  public let byteCount: Int
  /// Time of its last change, in nanoseconds since 1970.
  public let modifiedNanoseconds: Int

  /// Makes a stamp from its parts.
  public init(byteCount: Int, modifiedNanoseconds: Int) {
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }

  /// The stamp of a regular file; nil if there is none.
  public init?(of path: String) {
    var info = stat()
    guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
    byteCount = Int(info.st_size)
    modifiedNanoseconds = info.st_mtim.tv_sec * 1_000_000_000 + info.st_mtim.tv_nsec
  }
}

/// Fingerprints of large files, each computed once in a process as long as the file keeps its stamp.
public enum Fingerprints {
  private struct Version: Hashable {
    let path: String
    let stamp: FileStamp
  }

  private static let known = Mutex<[Version: String]>([:])

  /// The fingerprint of a file, computed if it is not known yet.
  ///
  /// - Throws: `FormatError.malformed` if the file has not that stamp, or loses it meanwhile.
  public static func of(_ path: String, _ stamp: FileStamp) throws(FormatError) -> String {
    let version = Version(path: path, stamp: stamp)
    if let fingerprint = known.withLock({ $0[version] }) { return fingerprint }
    let fingerprint = try Checksum.ofFile(path)
    guard FileStamp(of: path) == stamp else {
      throw .malformed(Problem(path, found: "a file that changed while it was read", hint: "Leave it alone."))
    }
    known.withLock { $0[version] = fingerprint }
    return fingerprint
  }

  /// Notes the fingerprint of a file that somebody else has computed.
  public static func remember(_ fingerprint: String, of path: String, _ stamp: FileStamp) {
    known.withLock { $0[Version(path: path, stamp: stamp)] = fingerprint }
  }
}
