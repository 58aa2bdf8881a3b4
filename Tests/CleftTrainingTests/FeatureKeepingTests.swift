import CleftFormats
import CleftTraining
import Foundation
import Testing

/// How much memory a process is given.
@Suite struct FeatureKeepingTests {
  /// The limit of a process in some groups, with files below where they are mounted.
  private func limit(_ files: [String: String], _ groups: String) throws -> UInt64? {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)")
      .path
    defer { FileSystem.remove(root) }
    for (path, text) in files {
      let file = "\(root)/\(path)"
      try FileSystem.makeFolder((file as NSString).deletingLastPathComponent)
      try FileSystem.write(Data(text.utf8), to: file, isDurable: false)
    }
    return FeatureKeeping.groupLimit(groups, root: root)
  }

  @Test func theSmallestLimitOfAGroupAndThoseAroundItCounts() throws {
    let files = ["a/b/memory.max": "max\n", "a/memory.max": "3000\n", "memory.max": "9000\n"]
    #expect(try limit(files, "0::/a/b\n") == 3000)
    #expect(try limit(files, "0::/\n") == 9000)
    #expect(try limit(["a:b/memory.max": "2000\n", "memory.max": "max\n"], "0::/a:b\n") == 2000)
    #expect(try limit(["other/memory.max": "1000\n", "a/memory.max": "max\n"], "0::/a\n") == nil)
  }

  @Test func hierarchiesOfTheFirstVersionAreRead() throws {
    let files = [
      "memory/p/q/memory.limit_in_bytes": "9223372036854771712\n", "memory/p/memory.limit_in_bytes": "5000\n",
      "memory/z/memory.limit_in_bytes": "10\n",
    ]
    #expect(try limit(files, "5:cpu,cpuacct:/z\n4:memory:/p/q\n0::/z\n") == 5000)
    #expect(try limit(files, "6:hugetlb,memory:/p\n") == 5000)
    #expect(try limit(["unified/u/memory.max": "4000\n"], "4:memory:/p\n0::/u\n") == 4000)
  }

  @Test func aContainersOwnGroupIsTheRoot() throws {
    #expect(try limit(["memory.max": "7000\n"], "0::/docker/1f\n") == 7000)
    #expect(try limit(["memory/memory.limit_in_bytes": "6000\n"], "4:memory:/docker/1f\n") == 6000)
    #expect(try limit(["memory.max": "7000\n"], "") == 7000, "nobody says which group it is")
  }
}
