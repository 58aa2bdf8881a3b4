import Foundation
import Glibc

extension FileSystem {
  /// Lets a file that grows beyond the process's limit be an error of the write, as a full disk is, instead of a signal
  /// that ends the process.
  ///
  /// Done once, before the first file is written.
  public static func expectSizeLimits() { _ = ignoresSizeSignal }

  private static let ignoresSizeSignal: Bool = {
    signal(SIGXFSZ, SIG_IGN)
    return true
  }()

  /// Asks the system to read a file from the disk the next time, not from what it remembers of writing it.
  public static func forgetCached(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_DONTNEED))
    close(descriptor)
  }

  /// Puts a new file or folder in the place of an old one, so that at every moment one of the two has the name.
  ///
  /// - Returns: what the system said if it refused; nil if it is done.
  public static func replace(_ path: String, with new: String, keepingOldAs old: String) -> String? {
    guard exists(path) else { return rename(new, path) == 0 ? nil : String(cString: strerror(errno)) }
    if exchange(new, path) {
      rename(new, old)
      return nil
    }
    // Not every file system can exchange two names.
    guard rename(path, old) == 0 else { return String(cString: strerror(errno)) }
    guard rename(new, path) == 0 else {
      let reason = String(cString: strerror(errno))
      rename(old, path)
      return reason
    }
    return nil
  }

  private typealias Exchange =
    @convention(c) (
      Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32
    ) -> Int32

  /// Linux's `renameat2`, which the C library's headers hide.
  private static let renameat2: Exchange? = dlsym(nil, "renameat2").map {
    unsafeBitCast($0, to: Exchange.self)
  }

  /// Gives each of two files or folders the other's name, in one step; false where that is not possible.
  private static func exchange(_ a: String, _ b: String) -> Bool {
    let exchange: UInt32 = 2
    return renameat2?(AT_FDCWD, a, AT_FDCWD, b, exchange) == 0
  }

  /// Removes a file or a folder with all that is in it.
  ///
  /// - Returns: whether it is gone.
  @discardableResult
  public static func remove(_ path: String) -> Bool {
    try? FileManager.default.removeItem(atPath: path)
    return !exists(path)
  }
}
