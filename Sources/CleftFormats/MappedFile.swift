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
  /// The file's stamp when it was mapped.
  public let stamp: FileStamp

  /// Maps a file.
  public init(_ path: String) throws(FormatError) {
    self.path = path
    let (descriptor, info) = try Self.open(path)
    defer { close(descriptor) }
    count = Int(info.st_size)
    stamp = FileStamp(info)
    guard let address = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0),
      address != MAP_FAILED
    else { throw .system(Problem(path, found: "cannot be mapped (\(String(cString: strerror(errno))))")) }
    base = address
    Self.reportsCuts
  }

  private nonisolated(unsafe) static var previous = sigaction()

  /// A file that is cut, or a disk that fails, while its bytes are in memory ends the process with one line and status
  /// 74: nothing could be read in their place.
  private static let reportsCuts: Void = {
    guard sigaction(SIGBUS, nil, &previous) == 0 else { return }
    var action = sigaction()
    action.sa_flags = SA_SIGINFO | Int32(SA_ONSTACK)
    // Only what a signal handler may call.
    action.__sigaction_handler.sa_sigaction = { number, info, _ in
      if let info, info.pointee.si_code == MappedFile.nothingBehindAddress {
        let text: StaticString = """
          cleft: error: a file that was being read has been cut, or its disk cannot be read; expected it to stay as it was. \
          Put it back and resume.

          """
        _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
        _exit(74)
      }
      // Anything else is for whoever was there before.
      sigaction(number, &MappedFile.previous, nil)
      raise(number)
    }
    sigaction(SIGBUS, &action, nil)
  }()

  /// `BUS_ADRERR`.
  private static var nothingBehindAddress: Int32 { 2 }

  /// Opens a regular file that is not empty.
  static func open(_ path: String) throws(FormatError) -> (descriptor: Int32, info: stat) {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ENOENT
        ? .missing(Problem(path, found: "no such file", hint: "Check the path."))
        : .system(Problem(path, found: "cannot be opened (\(String(cString: strerror(errno))))"))
    }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .malformed(Problem(path, found: "not a file", expected: "a regular file"))
    }
    guard info.st_size > 0 else {
      close(descriptor)
      throw .malformed(Problem(path, found: "an empty file"))
    }
    return (descriptor, info)
  }

  deinit { munmap(base, count) }

  /// A storage over some of the bytes that keeps the mapping alive.
  public func storage(at offset: Int, byteCount: Int) -> Storage {
    precondition(
      offset >= 0 && offset + byteCount <= count, "mapped file: \(offset) + \(byteCount) of \(count)")
    return Storage(lentBy: self, base: base + offset, byteCount: byteCount, isFileBacked: true)
  }
}
