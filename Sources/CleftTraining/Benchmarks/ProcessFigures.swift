import CleftTensor
import Foundation

/// Memory of this process at one moment, in bytes; 0 where the system does not say.
public struct ProcessMemory: Sendable, Equatable {
  /// Pages in memory.
  public let resident: Int
  /// The most there have been.
  public let peakResident: Int
  /// Those of them that are the process's own.
  public let anonymous: Int
  /// Those of them that are pages of files: weights that are mapped, the program, its libraries.
  public let fileMapped: Int

  /// Memory of now.
  public static var now: ProcessMemory {
    ProcessMemory(status: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "")
  }

  /// Reads the text of `/proc/self/status`.
  package init(status: String) {
    var kibibytes: [Substring: Int] = [:]
    for line in status.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.count == 3, words[2] == "kB", let count = Int(words[1]) { kibibytes[words[0]] = count }
    }
    func bytes(_ name: String) -> Int { (kibibytes[name[...]] ?? 0) << 10 }
    (resident, peakResident) = (bytes("VmRSS:"), bytes("VmHWM:"))
    (anonymous, fileMapped) = (bytes("RssAnon:"), bytes("RssFile:"))
  }
}

/// How long this process has been there.
public enum ProcessAge {
  /// Seconds since the process began, to a hundredth; nil where the system does not say.
  public static var seconds: Double? {
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let uptime = try? String(contentsOfFile: "/proc/uptime", encoding: .utf8).split(separator: " ").first,
      let now = Double(uptime), let name = stat.lastIndex(of: ")")
    else { return nil }
    // The name, which may hold anything, is the second field; the start is the 22nd.
    let fields = stat[stat.index(after: name)...].split(separator: " ")
    guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
    return max(0, now - ticks / Double(sysconf(Int32(_SC_CLK_TCK))))
  }
}

/// A clock that only goes forward.
enum StepClock {
  /// Seconds since some moment.
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
