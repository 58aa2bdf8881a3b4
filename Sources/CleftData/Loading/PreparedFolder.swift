import CleftFormats
import CleftImaging
import Foundation
import Glibc

/// The files of a folder of prepared pictures.
struct PreparedFolder: Sendable {
  /// Layout of the files.
  static let format = 1
  /// Bytes of a record: the fitted picture, row by row.
  static let recordBytes = ImagePipeline.fitSide * ImagePipeline.fitSide

  let path: String

  var pictures: String { "\(path)/pictures.bin" }
  var index: String { "\(path)/index.csv" }
  var manifest: String { "\(path)/prepared.json" }
  var lock: String { "\(path)/lock" }

  /// What `prepared.json` says.
  struct Manifest: Codable, Sendable {
    var format: Int
    var decoder: Int
    var side: Int
    var dataFolder: String
    var pictures: Int
    var isComplete: Bool

    private enum CodingKeys: String, CodingKey {
      case format, decoder, side, pictures
      case dataFolder = "data_folder"
      case isComplete = "complete"
    }
  }

  /// Records that the file of pictures has in full.
  var recordCount: Int { (FileStamp(of: pictures)?.bytes ?? 0) / Self.recordBytes }

  /// Reads the manifest; nil if there is none.
  ///
  /// - Throws: `FormatError.malformed` if this program cannot use what the folder holds.
  func readManifest() throws(FormatError) -> Manifest? {
    guard FileSystem.exists(manifest) else { return nil }
    let data = try FileSystem.read(manifest)
    let hint = "Delete the folder and run 'cleft prepare' again, or choose another one."
    guard let found = try? JSONDecoder().decode(Manifest.self, from: data) else {
      throw .malformed(
        Problem(manifest, found: "no description of prepared pictures", expected: "JSON", hint: hint))
    }
    let known = (Self.format, PreparedPictures.decoderVersion, ImagePipeline.fitSide)
    guard (found.format, found.decoder, found.side) == known else {
      throw .malformed(
        Problem(
          manifest, found: "format \(found.format), decoder \(found.decoder), side \(found.side)",
          expected: "\(known.0), \(known.1), \(known.2) as this program writes", hint: hint))
    }
    return found
  }

  func writeManifest(_ manifest: Manifest) throws(FormatError) {
    try FileSystem.write(Data((jsonText(manifest, pretty: true) + "\n").utf8), to: self.manifest)
  }
}

/// An open file, closed when nobody holds it any more.
final class OpenFile: Sendable {
  let descriptor: Int32
  let path: String

  init(_ path: String, flags: Int32) throws(FormatError) {
    self.path = path
    descriptor = open(path, flags | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw Self.error(path, "cannot be opened", errno) }
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from the file; false if the file is too short or cannot be read.
  ///
  /// Reading, not mapping: a file that is cut short or a disk that fails is then an answer, not a fatal signal.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Writes all bytes at a place, or at the end of a file opened for appending.
  func write(_ bytes: [UInt8], at offset: Int? = nil) throws(FormatError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        let rest = UnsafeRawBufferPointer(rebasing: raw[done...])
        return offset.map { pwrite(descriptor, rest.baseAddress, rest.count, off_t($0 + done)) }
          ?? Glibc.write(descriptor, rest.baseAddress, rest.count)
      }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { throw Self.error(path, "cannot be written", errno) }
      done += count
    }
  }

  func synchronize() throws(FormatError) {
    if fsync(descriptor) != 0 { throw Self.error(path, "cannot be written", errno) }
  }

  /// Keeps other processes out as long as this object lives.
  func lock() throws(FormatError) {
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return }
    if errno == EWOULDBLOCK {
      throw .system(
        Problem(
          path, found: "another process preparing this folder", expected: "one at a time",
          hint: "Wait for it, or choose another --out."))
    }
    throw Self.error(path, "cannot be locked", errno)
  }

  private static func error(_ path: String, _ what: String, _ code: Int32) -> FormatError {
    let text = "\(what) (\(String(cString: strerror(code))))"
    return code == ENOENT
      ? .missing(Problem(path, found: text, hint: "Check the path."))
      : .system(Problem(path, found: text, hint: "Free space or choose another folder."))
  }
}
