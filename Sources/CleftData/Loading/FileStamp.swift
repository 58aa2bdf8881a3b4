import Foundation
import Glibc

/// What tells a changed file from an unchanged one without reading it.
struct FileStamp: Hashable, Sendable {
  /// Length in bytes.
  var bytes: Int
  /// Time of the last modification in nanoseconds since 1970; wraps around beyond the year 2262.
  var modified: Int

  init(bytes: Int, modified: Int) {
    self.bytes = bytes
    self.modified = modified
  }

  /// The stamp of a file; nil if there is none or the system does not say: opening it tells which.
  init?(of path: String) {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    bytes = Int(info.st_size)
    modified = Int(info.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(info.st_mtim.tv_nsec)
  }
}

/// Names pictures in listings: relative to the data folder where they lie below it, so that both can move together.
struct PathNaming: Sendable {
  private let root: String
  private let workingFolder: String

  init(dataFolder: String) {
    workingFolder = FileManager.default.currentDirectoryPath
    root = Self.absolute(dataFolder, workingFolder) + "/"
  }

  /// The name of a picture's path.
  func name(of path: String) -> String {
    let full = Self.absolute(path, workingFolder)
    return full.hasPrefix(root) ? String(full.dropFirst(root.count)) : full
  }

  /// A path from the root of the file system, without `.`, `..` and doubled slashes; links are not followed.
  static func absolute(
    _ path: String, _ workingFolder: String = FileManager.default.currentDirectoryPath
  ) -> String {
    var full = path.utf8.first == UInt8(ascii: "/") ? path : workingFolder + "/" + path
    let isPlain = full.utf8.count > 1 && !hasOddPart(full)
    if isPlain { return full }
    var parts: [Substring] = []
    for part in full.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    full = "/" + parts.joined(separator: "/")
    return full
  }

  /// Whether a part between slashes is empty, `.` or `..`; asked for every picture of a dataset, so by bytes.
  private static func hasOddPart(_ path: String) -> Bool {
    let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
    var (length, dots) = (0, 0)
    var isFirst = true
    for byte in path.utf8 {
      if byte == slash {
        if !isFirst, length == dots, length < 3 { return true }
        (length, dots, isFirst) = (0, 0, false)
      } else {
        length += 1
        if byte == dot { dots += 1 }
      }
    }
    return length == dots && length < 3
  }
}
