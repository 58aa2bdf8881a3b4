import Glibc
import Synchronization

/// Requests from outside to stop.
///
/// A handler sets one flag; the loop looks at it after each step.
public enum Signals {
  private static let requested = Atomic<Int32>(0)

  /// Watches SIGINT, SIGTERM and SIGUSR1.
  ///
  /// A second SIGINT ends the process at once.
  public static func watch() {
    requested.store(0, ordering: .relaxed)
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in [SIGINT, SIGTERM, SIGUSR1] {
      sigaddset(&watched, number)
      signal(number) { number in
        if number == SIGINT, Signals.stopRequest == SIGINT { _exit(130) }
        Signals.request(number)
      }
    }
    // A parent may have started this process with signals held back.
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }

  /// Lets the signals end the process again.
  public static func unwatch() {
    for number in [SIGINT, SIGTERM, SIGUSR1] { signal(number, SIG_DFL) }
  }

  private static func request(_ number: Int32) { requested.store(number, ordering: .relaxed) }

  /// The signal that asked to stop, nil for none.
  public static var stopRequest: Int32? {
    let number = requested.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }
}
