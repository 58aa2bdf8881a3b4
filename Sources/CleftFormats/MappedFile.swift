import CleftTensor
import Foundation
import Glibc

/// A file in memory without having been read: pages come in when they are touched.
///
/// The mapping is private, so that a stray write could never reach the file.
public final class MappedFile {
  /// First byte.
  public let base: UnsafeMutableRawPointer
  /// Length in bytes.
  public let count: Int
  /// Where the file lies.
  public let path: String

  /// Maps a file.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ENOENT
        ? .missing(Problem(path, found: "no such file", hint: "Check the path."))
        : .system(Problem(path, found: "cannot be opened (\(String(cString: strerror(errno))))"))
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      throw .malformed(Problem(path, found: "not a file", expected: "a regular file"))
    }
    count = Int(info.st_size)
    guard count > 0 else { throw .malformed(Problem(path, found: "an empty file")) }
    guard let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0),
      address != MAP_FAILED
    else { throw .system(Problem(path, found: "cannot be mapped (\(String(cString: strerror(errno))))")) }
    base = address
  }

  deinit { munmap(base, count) }

  /// A storage over some of the bytes that keeps the mapping alive.
  public func storage(at offset: Int, byteCount: Int) -> Storage {
    precondition(
      offset >= 0 && offset + byteCount <= count, "mapped file: \(offset) + \(byteCount) of \(count)")
    return Storage(lentBy: self, base: base + offset, byteCount: byteCount, isFileBacked: true)
  }
}
