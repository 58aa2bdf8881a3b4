import CleftFormats
import Foundation
import Glibc

/// One worker process and the socket that is its standard input and output.
///
/// A socket and no pair of pipes: sending to a child that has died is then an error and never a signal.
final class InspectionChild {
  /// How a child ended.
  enum End {
    case exited(Int32), signaled(Int32)
    /// It does not go away, not even when killed: a file system that does not answer holds it.
    case stuck

    /// For messages.
    var text: String {
      switch self {
      case .exited(let status): "exit \(status)"
      case .signaled(let number): "signal \(number)"
      case .stuck: "it cannot be ended"
      }
    }
  }

  /// Our side of the socket.
  let descriptor: Int32
  private let process: pid_t
  /// Indices of the pictures sent and not yet answered, in the order of sending.
  var waiting: [Int] = []
  /// Whether it has said that it is there.
  var isReady = false
  /// Since when it has been at the first of `waiting`, or at starting.
  var since = SuspendingClock.now
  private var unsent: [UInt8] = []
  private var received: [UInt8] = []

  /// Starts a process.
  ///
  /// - Throws: `FormatError.system` if the system refuses.
  init(executable: String, arguments: [String]) throws(FormatError) {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Self.refused(executable, errno) }
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    // A parent may have started with signals held back or ignored; the child must be able to die of them.
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    words.append(nil)
    var process = pid_t()
    let status = posix_spawn(&process, executable, &actions, &attributes, words, environ)
    guard status == 0 else {
      close(ends[0])
      throw Self.refused(executable, status)
    }
    self.process = process
    descriptor = ends[0]
  }

  /// Whether there are bytes that the child has not taken yet.
  var hasUnsent: Bool { !unsent.isEmpty }

  /// Hands over a line; it goes out as far as the child takes it.
  func send(_ line: String) {
    unsent += Array((line + "\n").utf8)
    flush()
  }

  /// Sends what the child takes now; that it is gone is noticed on receiving.
  func flush() {
    guard hasUnsent else { return }
    let count = unsent.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
    if count > 0 { unsent.removeFirst(count) }
  }

  /// Lines that have come; nil when the child has closed its side.
  func receive() -> [String]? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    if count < 0, errno == EAGAIN || errno == EINTR { return [] }
    if count <= 0 { return nil }
    received += buffer[0..<count]
    guard let end = received.lastIndex(of: 0x0A) else { return [] }
    let lines = received[...end].split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    received.removeFirst(end + 1)
    return lines
  }

  /// Whether something has come that has not been received.
  var hasUnread: Bool {
    var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&watched, 1, 0) > 0
  }

  /// Kills the child, whatever it is at.
  func kill() { Glibc.kill(process, SIGKILL) }

  /// Takes the child off the system's list if it has ended.
  ///
  /// - Returns: nil if it has not. Not to be asked again after that.
  func reap() -> End? {
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return nil }
    let number = status & 0x7F
    return number == 0 ? .exited((status >> 8) & 0xFF) : .signaled(number)
  }

  deinit { close(descriptor) }

  private static func refused(_ executable: String, _ code: Int32) -> FormatError {
    .system(
      Problem(
        executable, found: "cannot be started (\(String(cString: strerror(code))))",
        hint: "Check the limits on processes and open files, or pass a smaller --num_workers."))
  }
}
