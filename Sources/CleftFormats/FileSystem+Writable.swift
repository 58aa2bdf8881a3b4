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
    guard access(folder, W_OK) == 0 else {
      throw .system(
        Problem(
          path, found: "cannot be written (\(String(cString: strerror(errno))))",
          hint: "Make \(folder) or choose another folder."))
    }
  }
}
