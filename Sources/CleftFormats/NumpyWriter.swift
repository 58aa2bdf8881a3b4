import CleftTensor
import Foundation
import Glibc

/// Writes a float32 matrix `[rows, width]` as an `.npy` file, block by block; the number of rows is known at the end.
///
/// The file has its name from the start: whoever writes one puts it into a folder that gets its own name last.
public final class NumpyWriter {
  /// Where the file lies.
  public let path: String
  /// Numbers of a row.
  public let width: Int
  /// Rows written so far.
  public private(set) var rowCount = 0
  private var descriptor: Int32

  /// Makes a file without rows.
  ///
  /// - Throws: `FormatError.system`.
  public init(_ path: String, width: Int) throws(FormatError) {
    FileSystem.expectSizeLimits()
    self.path = path
    self.width = width
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw refused() }
    try write(NumpyHeader.float32([0, width]))
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Appends rows `[n, width]`.
  ///
  /// - Throws: `FormatError.system`.
  public func append(_ rows: Tensor) throws(FormatError) {
    precondition(rows.shape.last == width, "npy: rows of [\(rows.shape)] in a matrix of width \(width)")
    let values = rows.array
    try write(values.withUnsafeBytes { Data($0) })
    rowCount += rows.shape.rows
  }

  /// Says in front how many rows there are, and waits until the disk has the file.
  ///
  /// - Throws: `FormatError.system`.
  public func finish() throws(FormatError) {
    guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw refused() }
    try write(NumpyHeader.float32([rowCount, width]))
    guard fsync(descriptor) == 0 else { throw refused() }
    let status = close(descriptor)
    descriptor = -1
    guard status == 0 || errno == EINTR else { throw refused() }
  }

  private func write(_ data: Data) throws(FormatError) {
    var written = 0
    while written < data.count {
      let count = data.withUnsafeBytes { bytes in
        Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw refused()
      }
      written += count
    }
  }

  private func refused() -> FormatError {
    .system(
      Problem(
        path, found: "cannot be written (\(String(cString: strerror(errno))))",
        hint: "Free some space or choose another folder."))
  }
}
