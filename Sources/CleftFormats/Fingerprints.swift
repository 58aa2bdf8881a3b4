import Foundation
import Glibc
import Synchronization

/// Fingerprints of large files, each computed once in a process as long as the file keeps its stamp.
public enum Fingerprints {
  private struct Version: Hashable {
    let path: String
    let stamp: FileStamp
  }

  /// What there is of a version.
  private enum Entry {
    case known(String)
    /// A thread reads the file; it signals for each that waits, one after the other.
    case underWay(DispatchSemaphore)
  }

  private static let table = Mutex<[Version: Entry]>([:])

  /// Bytes up to which a file is read at once: a few hundredths of a second.
  private static let smallByteCount = 64 << 20

  /// The fingerprint of a file, computed if it is not known yet.
  ///
  /// - Throws: `FormatError.malformed` if the file has not that stamp, or loses it meanwhile.
  public static func of(_ path: String, _ stamp: FileStamp) throws(FormatError) -> String {
    if let fingerprint = known(path, stamp) { return fingerprint }
    let fingerprint = try computed(path, stamp)
    table.withLock { $0[Version(path: path, stamp: stamp)] = .known(fingerprint) }
    return fingerprint
  }

  /// The fingerprint that a version of a file had when it was read for it; nil if it never was, or could not be.
  ///
  /// Waits for a thread that is reading the file.
  public static func known(_ path: String, _ stamp: FileStamp) -> String? {
    switch table.withLock({ $0[Version(path: path, stamp: stamp)] }) {
    case .known(let fingerprint): return fingerprint
    case nil: return nil
    case .underWay(let end):
      end.wait()
      end.signal()
      return known(path, stamp)
    }
  }

  /// Computes the fingerprint of a small file; begins to, in a thread that gives way to all others, for a large one.
  ///
  /// What goes wrong in that thread is found by whoever asks for the fingerprint.
  ///
  /// - Throws: as `of` for a small file.
  public static func prepare(_ path: String, _ stamp: FileStamp) throws(FormatError) {
    guard stamp.byteCount > smallByteCount else {
      _ = try of(path, stamp)
      return
    }
    let (version, end) = (Version(path: path, stamp: stamp), DispatchSemaphore(value: 0))
    let isNew = table.withLock { table in
      if table[version] != nil { return false }
      table[version] = .underWay(end)
      return true
    }
    guard isNew else { return }
    Thread.detachNewThread {
      // Of this thread alone, although it says process.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
      let fingerprint = try? computed(path, stamp)
      table.withLock { $0[version] = fingerprint.map { .known($0) } }
      end.signal()
    }
  }

  private static func computed(_ path: String, _ stamp: FileStamp) throws(FormatError) -> String {
    let fingerprint = try Checksum.ofFile(path)
    guard FileStamp(of: path) == stamp else {
      throw .malformed(Problem(path, found: "a file that changed while it was read", hint: "Leave it alone."))
    }
    return fingerprint
  }
}
