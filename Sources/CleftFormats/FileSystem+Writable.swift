import Foundation
import Glibc

extension FileSystem {
  /// Fails if a file cannot be written, before the work that fills it.
  ///
  /// - Throws: `FormatError.system` if its folder is not there or may not be written to.
  public static func requireWritable(_ path: String) throws(FormatError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    if isFolder(path) {
      throw .system(Problem(path, found: "a folder", expected: "a file to write"))
    }
    try requireFile(path)
    guard access(folder, W_OK) == 0 else {
      throw .system(
        Problem(
          path, found: "cannot be written (\(String(cString: strerror(errno))))",
          hint: "Make \(folder) or choose another folder."))
    }
  }

  /// Fails for a device, pipe or socket: a file put in its place would take its name away.
  static func requireFile(_ path: String) throws(FormatError) {
    var status = stat()
    guard stat(path, &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else { return }
    throw .system(Problem(path, found: "no regular file", expected: "a file to write"))
  }
}
