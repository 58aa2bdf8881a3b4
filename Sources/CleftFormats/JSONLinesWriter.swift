import Foundation
import Glibc

/// Appends one JSON object a line; each line is written whole.
public final class JSONLinesWriter {
  private let descriptor: Int32
  private let path: String

  /// Opens a file for appending, making it if needed.
  ///
  /// `keeping` cuts it to the lines for which it answers true.
  public init(_ path: String, keeping: ((Substring) -> Bool)? = nil) throws(FormatError) {
    self.path = path
    if let keeping, FileSystem.exists(path) {
      let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
      let kept = text.split(separator: "\n").filter(keeping).map { $0 + "\n" }.joined()
      try FileSystem.write(Data(kept.utf8), to: path)
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .system(Problem(path, found: "cannot be opened (\(String(cString: strerror(errno))))"))
    }
  }

  deinit { close(descriptor) }

  /// Appends one object.
  public func append(_ object: some Encodable) throws(FormatError) {
    let line = Array((jsonText(object) + "\n").utf8)
    var written = 0
    while written < line.count {
      let count = line[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(
          Problem(
            path, found: "cannot be written (\(String(cString: strerror(errno))))", hint: "Free some space."))
      }
      written += count
    }
  }
}
