import Foundation
import Glibc
import Synchronization

/// Reading whole files, and writing them so that nobody ever sees half of one.
public enum FileSystem {
  /// Reads a file.
  ///
  /// - Throws: `FormatError.missing` if there is none, `.system` if it cannot be read.
  public static func read(_ path: String) throws(FormatError) -> Data {
    guard exists(path) else {
      throw .missing(Problem(path, found: "no such file", hint: "Check the path."))
    }
    guard !isFolder(path) else {
      throw .malformed(Problem(path, found: "a folder", expected: "a file"))
    }
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw .system(Problem(path, found: "cannot be read (\(reason(error)))", hint: "Check the permissions."))
    }
  }

  /// Writes a file beside its place and renames it, after the disk has it.
  ///
  /// - Parameter isDurable: off for files that can be made again: they are renamed without waiting for the disk.
  /// - Throws: `FormatError.system`; the old file, if any, is then still there.
  public static func write(_ data: Data, to path: String, isDurable: Bool = true) throws(FormatError) {
    try write(to: path, isDurable: isDurable) { handle in
      try handle.write(contentsOf: data)
    }
  }

  /// Writes a file piece by piece, beside its place, and renames it when all pieces are on disk.
  ///
  /// - Throws: the `FormatError` that `body` throws, or `.system`; the old file, if any, is then still there.
  public static func write(
    to path: String, isDurable: Bool = true, _ body: (FileHandle) throws -> Void
  ) throws(FormatError) {
    try requireFile(path)
    let (partial, descriptor) = try openPartial(path)
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    do {
      try body(handle)
    } catch {
      close(descriptor)
      unlink(partial)
      if let error = error as? FormatError { throw error }
      throw .system(
        Problem(
          path, found: "cannot be written (\(reason(error)))", hint: "Free space or choose another folder."))
    }
    guard !isDurable || fsync(descriptor) == 0 else {
      let code = errno
      close(descriptor)
      unlink(partial)
      throw writeError(path, code)
    }
    // Some network disks and quotas refuse only here.
    guard close(descriptor) == 0 || errno == EINTR else {
      let code = errno
      unlink(partial)
      throw writeError(path, code)
    }
    guard rename(partial, path) == 0 else {
      let code = errno
      unlink(partial)
      throw writeError(path, code)
    }
  }

  private static let partialCount = Atomic<Int>(0)

  /// A name beside `path` for a file in work, another one each time, so that two writers of one file do not mix.
  ///
  /// It ends in `.partial`, by which what a killed process leaves behind is known.
  public static func partialPath(of path: String) -> String {
    "\(path).\(getpid())-\(partialCount.wrappingAdd(1, ordering: .relaxed).oldValue).partial"
  }

  /// Opens a new file beside `path`: a process in another container may have our number, and so our names.
  private static func openPartial(_ path: String) throws(FormatError) -> (path: String, descriptor: Int32) {
    expectSizeLimits()
    while true {
      let partial = partialPath(of: path)
      let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      if descriptor >= 0 { return (partial, descriptor) }
      if errno != EEXIST { throw writeError(path, errno) }
    }
  }

  /// Makes a folder and those above it.
  public static func makeFolder(_ path: String) throws(FormatError) {
    if isFolder(path) { return }
    let parent = (path as NSString).deletingLastPathComponent
    if !parent.isEmpty, parent != path { try makeFolder(parent) }
    if mkdir(path, 0o777) == 0 { return }
    let code = errno
    // Somebody else may have been faster.
    if code == EEXIST, isFolder(path) { return }
    throw .system(
      Problem(
        path, found: "cannot be made (\(String(cString: strerror(code))))", hint: "Choose another folder."))
  }

  /// Whether a file or folder is there.
  public static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Whether a folder is there.
  public static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// Names in a folder, sorted.
  public static func list(_ path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  /// Flushes a folder's entries, so that a rename survives a power cut.
  public static func synchronizeFolder(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if descriptor >= 0 {
      fsync(descriptor)
      close(descriptor)
    }
  }

  /// Bytes that may still be written where `path` lies; nil if the system does not say.
  public static func freeBytes(_ path: String) -> Int? {
    var info = statvfs()
    guard statvfs(path, &info) == 0 else { return nil }
    return byteCount(blocks: UInt(info.f_bavail), of: UInt(info.f_frsize))
  }

  /// Bytes of so many blocks; the largest number where it has no room for them.
  package static func byteCount(blocks: UInt, of size: UInt) -> Int {
    let (bytes, overflows) = blocks.multipliedReportingOverflow(by: size)
    return overflows ? .max : Int(clamping: bytes)
  }

  private static func writeError(_ path: String, _ code: Int32) -> FormatError {
    .system(
      Problem(
        path, found: "cannot be written (\(String(cString: strerror(code))))",
        hint: "Free space or choose another folder."))
  }

  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError,
      underlying.domain == NSPOSIXErrorDomain
    {
      return String(cString: strerror(Int32(underlying.code)))
    }
    if error.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(error.code))) }
    return error.localizedDescription
  }
}
