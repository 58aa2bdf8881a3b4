import Foundation

/// What a run has to do with features of frozen towers, and how much of them may be kept.
public struct FeatureKeeping: Sendable {
  /// Bytes that kept features may take; 0 keeps none.
  public var limitBytes: Int
  /// Whether training pictures are changed at random each time they come up.
  public var augments: Bool
  /// Training samples that the run takes in all, repeats counted: keeping pays where there are more than samples.
  public var drawCount: Double

  /// Describes a run.
  public init(limitBytes: Int, augments: Bool, drawCount: Double) {
    (self.limitBytes, self.augments, self.drawCount) = (limitBytes, augments, drawCount)
  }

  /// Keeps nothing.
  public static let none = FeatureKeeping(limitBytes: 0, augments: true, drawCount: 0)

  /// A quarter of the memory that the machine has, or that this process is given of it.
  public static var quarterOfMemory: Int {
    let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    let physical = ProcessInfo.processInfo.physicalMemory
    return Int(min(physical, groupLimit(groups, root: "/sys/fs/cgroup") ?? physical) / 4)
  }

  /// The smallest memory limit among the control groups of a process and those around them; nil without any.
  ///
  /// In a container the path may be that outside of it, and the container's own group the root: what is not there is
  /// passed over.
  ///
  /// - Parameters:
  ///   - groups: `/proc/self/cgroup`: a line `number:controllers:path` a hierarchy; version 2 names no controllers.
  ///   - root: where the hierarchies are mounted.
  package static func groupLimit(_ groups: String, root: String) -> UInt64? {
    var limits: [UInt64] = []
    // The roots are looked at even if nobody says which group it is.
    let lines: [Substring] = groups.split(separator: "\n") + ["0::/", "0:memory:/"]
    for line in lines {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].isEmpty {
        for mount in [root, root + "/unified"] { limits += Self.limits(of: fields[2], mount, "memory.max") }
      } else if fields[1].split(separator: ",").contains("memory") {
        limits += Self.limits(of: fields[2], root + "/memory", "memory.limit_in_bytes")
      }
    }
    return limits.min()
  }

  /// Limits of a group and of those around it; one that is `max` or not there is left out.
  private static func limits(of group: Substring, _ mount: String, _ name: String) -> [UInt64] {
    let parts = group.split(separator: "/")
    return (0...parts.count).compactMap { depth in
      let path = ([mount] + parts.prefix(depth).map(String.init) + [name]).joined(separator: "/")
      let text = try? String(contentsOfFile: path, encoding: .utf8)
      return text.flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
  }
}
