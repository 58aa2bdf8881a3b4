import Foundation
import Glibc
import Synchronization

/// Appends events to a TensorBoard file of its own, each record in one piece as soon as it comes.
///
/// A killed process leaves at most one torn record, at the end, where readers stop. A write that fails is cut off again,
/// so that the file stays whole.
///
/// - Source: TensorFlow's record format: length, its checksum, bytes, their checksum; checksums are CRC-32C, masked.
public final class EventFileWriter {
  /// The file.
  public let path: String
  private let descriptor: Int32
  /// Bytes of whole records.
  private var length = 0

  private static let fileCount = Atomic<Int>(0)

  /// Opens a new file in a folder.
  ///
  /// - Parameter step: what other files in the folder have of later steps counts no more.
  /// - Throws: `FormatError.system`.
  public init(folder: String, resumingFrom step: Int = 0) throws(FormatError) {
    FileSystem.expectSizeLimits()
    let earlier = FileSystem.list(folder).compactMap(Self.seconds(ofFile:)).max()
    let number = Self.fileCount.wrappingAdd(1, ordering: .relaxed).oldValue
    path =
      "\(folder)/"
      + Self.fileName(
        now: Int(Date().timeIntervalSince1970), after: earlier, host: Self.hostName, process: getpid(),
        number: number)
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .system(
        Problem(
          path, found: "cannot be made (\(String(cString: strerror(errno))))",
          hint: "Choose another folder, or pass --no_tensorboard."))
    }
    try append(.version, step: 0)
    if earlier != nil { try append(.start, step: step + 1) }
  }

  deinit { close(descriptor) }

  /// Appends what was so at a step.
  ///
  /// - Throws: `FormatError.system`; the file then ends with the record before.
  public func append(_ content: TensorBoardEvent.Content, step: Int) throws(FormatError) {
    let event = TensorBoardEvent(time: Date().timeIntervalSince1970, step: step, content)
    let record = Self.record(event.message)
    var written = 0
    while written < record.count {
      let count = record.withUnsafeBytes { bytes in
        Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0 {
        if errno == EINTR { continue }
        let reason = String(cString: strerror(errno))
        ftruncate(descriptor, off_t(length))
        throw .system(
          Problem(
            path, found: "cannot be written (\(reason))", hint: "Free some space, or pass --no_tensorboard."))
      }
      written += count
    }
    length += record.count
  }

  /// A message with its length and the checksums of both.
  package static func record(_ message: Data) -> Data {
    let length = withUnsafeBytes(of: UInt64(message.count).littleEndian) { Data($0) }
    return length + maskedChecksum(length) + message + maskedChecksum(message)
  }

  /// Turned and moved, so that a checksum of bytes that hold their own checksum is no special number.
  private static func maskedChecksum(_ bytes: Data) -> Data {
    var checksum = CRC32(.castagnoli)
    checksum.update(bytes)
    let masked = (checksum.value >> 15 | checksum.value << 17) &+ 0xA282_EAD8
    return withUnsafeBytes(of: masked.littleEndian) { Data($0) }
  }

  /// A name that sorts behind those of earlier files, since readers take files in the order of their names.
  package static func fileName(now: Int, after earlier: Int?, host: String, process: Int32, number: Int)
    -> String
  {
    let seconds = max(now, earlier.map { $0 + 1 } ?? 0)
    return "events.out.tfevents.\(String(format: "%010d", seconds)).\(host).\(process).\(number)"
  }

  /// The time in the name of an event file; nil for other names.
  package static func seconds(ofFile name: String) -> Int? {
    let prefix = "events.out.tfevents."
    guard name.hasPrefix(prefix) else { return nil }
    return Int(name.dropFirst(prefix.count).prefix { $0 != "." })
  }

  private static let hostName: String = {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.isEmpty ? "localhost" : text.replacingOccurrences(of: "/", with: "-")
  }()
}
