import CleftFormats
import Glibc

/// The bytes of one picture file, opened once and read whole, or as far as its header goes.
///
/// Read, not mapped: a file that shrinks or a network disk that fails is then an error, not a fatal signal.
struct PictureBytes: ~Copyable {
  /// The bytes; valid as long as the value.
  let buffer: UnsafeMutableRawBufferPointer

  /// What a codec takes.
  var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(buffer.assumingMemoryBound(to: UInt8.self)) }

  /// Reads a regular file.
  ///
  /// - Parameter limit: bytes of a longer file that are read, from its beginning.
  /// - Throws: `ImagingError.missing`, `.unreadable`, `.damaged` or `.system`, with the path as location.
  init(_ path: String, limit: Int = .max) throws(ImagingError) {
    // Without O_NONBLOCK a named pipe would make the program wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      guard errno == ENOENT || errno == ENOTDIR else { throw Self.refused(path, "opened", errno) }
      throw .missing(
        Problem(path, found: "no such file", hint: "Check --data_dir and the path in the table."))
    }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Self.refused(path, "read", errno) }
    guard info.st_mode & S_IFMT == S_IFREG else {
      let found = info.st_mode & S_IFMT == S_IFDIR ? "a folder" : "not a regular file"
      throw .unreadable(Problem(path, found: found, expected: "a PNG, JPEG or DICOM file"))
    }
    let count = min(Int(info.st_size), limit)
    guard count > 0 else {
      throw .unreadable(Problem(path, found: "an empty file", expected: "PNG, JPEG or DICOM"))
    }
    guard count <= 8 * ImageDecoder.maximumPixels else {
      throw .unreadable(
        Problem(path, found: "\(count) bytes", expected: "at most \(8 * ImageDecoder.maximumPixels)"))
    }
    guard let memory = malloc(count) else {
      throw .system(Problem(path, found: "\(count) bytes, more than the free memory"))
    }
    var done = 0
    while done < count {
      let got = Glibc.read(descriptor, memory + done, count - done)
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else {
        let code = errno
        free(memory)
        if got < 0 { throw Self.refused(path, "read", code) }
        throw .damaged(
          Problem(path, found: "a file that shrank while it was read", expected: "a whole file"))
      }
      done += got
    }
    buffer = UnsafeMutableRawBufferPointer(start: memory, count: count)
  }

  deinit { free(buffer.baseAddress) }

  /// What a system call's error number says about the file itself; all others are about the system.
  private static let ofTheFile: Set<Int32> = [EACCES, EPERM, ELOOP, ENAMETOOLONG, ENXIO, ENODEV, EOVERFLOW]

  private static func refused(_ path: String, _ verb: String, _ code: Int32) -> ImagingError {
    var problem = Problem(path, found: "cannot be \(verb) (\(String(cString: strerror(code))))")
    if ofTheFile.contains(code) {
      problem.hint = "Check the path and the permissions."
      return .unreadable(problem)
    }
    problem.hint =
      code == EMFILE || code == ENFILE
      ? "Raise the limit of open files (ulimit -n), or use fewer workers." : "Check the disk and the memory."
    return .system(problem)
  }
}
