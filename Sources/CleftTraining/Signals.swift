import Glibc
import Synchronization

/// Requests from outside to stop.
///
/// A handler sets one flag; the loop looks at it after each step.
public enum Signals {
  private static let requested = Atomic<Int32>(0)
  private static let isAtWork = Atomic<Bool>(false)

  /// Those that ask to stop.
  private static let watchedSignals: [Int32] = {
    var hangUp = sigaction()
    sigaction(SIGHUP, nil, &hangUp)
    let isIgnored = unsafeBitCast(hangUp.__sigaction_handler.sa_handler, to: Int.self) == 1
    return [SIGINT, SIGTERM, SIGUSR1] + (isIgnored ? [] : [SIGHUP])
  }()

  /// Watches SIGINT, SIGTERM, SIGUSR1, and SIGHUP unless somebody (`nohup`) has seen to it already.
  ///
  /// Until `begin` one of them ends the process at once, with exit code 75: there is nothing to save yet. A second SIGINT
  /// ends it at any time. A reader of the program's lines that goes away ends nothing.
  public static func watch() {
    requested.store(0, ordering: .relaxed)
    isAtWork.store(false, ordering: .relaxed)
    var watched = sigset_t()
    sigemptyset(&watched)
    signal(SIGPIPE, SIG_IGN)
    useStackOfTheirOwn()
    var action = sigaction()
    action.sa_flags = Int32(SA_ONSTACK) | SA_RESTART
    action.__sigaction_handler.sa_handler = { number in
      Signals.endUnlessAtWork()
      if number == SIGINT, Signals.stopRequest == SIGINT { _exit(130) }
      Signals.request(number)
    }
    for number in watchedSignals {
      sigaddset(&watched, number)
      sigaction(number, &action, nil)
    }
    // A parent may have started this process with signals held back.
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }

  /// Gives this thread a stack for its handlers.
  ///
  /// oneDNN's products keep numbers further below the stack pointer than a handler on the same stack leaves alone; a signal
  /// in the middle of one would change memory that is not its own.
  private static func useStackOfTheirOwn() {
    let size = max(1 << 16, 4 * sysconf(Int32(_SC_MINSIGSTKSZ)))
    // Never given back: the handlers may run until the process ends.
    guard let memory = malloc(size) else { return }
    var stack = stack_t(ss_sp: memory, ss_flags: 0, ss_size: size)
    if sigaltstack(&stack, nil) != 0 { free(memory) }
  }

  /// From here on there is something to save: a signal only sets the flag.
  public static func begin() { isAtWork.store(true, ordering: .relaxed) }

  /// Called within a signal handler: only what is safe there.
  private static func endUnlessAtWork() {
    if isAtWork.load(ordering: .relaxed) { return }
    let text: StaticString =
      "\ncleft: error: asked to stop before the first step; nothing is lost. Start again as before.\n"
    _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
    _exit(75)
  }

  /// Lets the signals end the process again.
  public static func unwatch() {
    signal(SIGPIPE, SIG_DFL)
    for number in watchedSignals { signal(number, SIG_DFL) }
  }

  private static func request(_ number: Int32) { requested.store(number, ordering: .relaxed) }

  /// What a signal is called.
  public static func name(_ number: Int32) -> String {
    [SIGINT: "SIGINT", SIGTERM: "SIGTERM", SIGUSR1: "SIGUSR1", SIGHUP: "SIGHUP"][number] ?? "signal \(number)"
  }

  /// The signal that asked to stop, nil for none.
  public static var stopRequest: Int32? {
    let number = requested.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }
}
