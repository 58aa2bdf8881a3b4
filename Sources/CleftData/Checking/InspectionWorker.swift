import CleftFormats
import CleftImaging
import Foundation
import Glibc

/// One picture to inspect, as a worker is asked for it: one JSON object a line.
///
/// JSON writes a line end within a path as `\n`, so a line is always a whole request.
struct InspectionRequest: Codable {
  var path: String
  var dicom: DicomRendering
}

/// The child's side of `ProcessInspector`: reads requests from standard input, writes findings to standard output.
public enum InspectionWorker {
  /// First line of a worker: whatever comes before it is a start that failed.
  public static let greeting = "{\"ready\":true}"

  /// Answers requests until there are no more or nobody is there to read the answers.
  ///
  /// - Parameter memoryBytes: what pictures may take beyond what the process has at the start.
  public static func run(memoryBytes: Int = 4 << 30) {
    limitMemory(memoryBytes)
    let output = dup(STDOUT_FILENO)
    silence()
    endWithParent()
    guard write(greeting, to: output) else { return }
    while let line = readLine(strippingNewline: true) {
      guard write(answer(line), to: output) else { return }
    }
  }

  /// The answer to one request, without the line end.
  public static func answer(_ line: String) -> String {
    let finding: PictureFinding
    do {
      let request = try JSONDecoder().decode(InspectionRequest.self, from: Data(line.utf8))
      finding = PictureFinding(of: request.path, dicom: request.dicom)
    } catch {
      finding = .faulty(fault: .unreadable, reason: "a request that is not understood")
    }
    return jsonText(finding)
  }

  /// A decoder that asks for more memory than a picture needs ends by itself, and leaves no core file.
  private static func limitMemory(_ bytes: Int) {
    let statistics = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = statistics.split(separator: " ").first.flatMap { Int($0) } ?? 0
    func lower(_ resource: __rlimit_resource_t, to wanted: Int) {
      var limit = rlimit()
      guard getrlimit(resource, &limit) == 0 else { return }
      limit.rlim_cur = min(rlim_t(wanted), limit.rlim_max)
      setrlimit(resource, &limit)
    }
    if pages > 0 {
      lower(__rlimit_resource_t(RLIMIT_AS.rawValue), to: pages * Int(sysconf(Int32(_SC_PAGESIZE))) + bytes)
    }
    lower(__rlimit_resource_t(RLIMIT_CORE.rawValue), to: 0)
  }

  /// What decoders print would mix with answers or fill the terminal; crashes end the process without a report.
  private static func silence() {
    let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
    dup2(nothing, STDOUT_FILENO)
    dup2(nothing, STDERR_FILENO)
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP] { signal(number, SIG_DFL) }
  }

  /// Ends the process when the other side of standard input is gone, even in the middle of a picture.
  private static func endWithParent() {
    let watcher = Thread {
      var watched = pollfd(fd: STDIN_FILENO, events: 0, revents: 0)
      while poll(&watched, 1, -1) < 0 {}
      _exit(0)
    }
    watcher.stackSize = 256 << 10
    watcher.start()
  }

  private static func write(_ line: String, to descriptor: Int32) -> Bool {
    let bytes = Array((line + "\n").utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno != EINTR { return false }
      written += max(0, count)
    }
    return true
  }
}
