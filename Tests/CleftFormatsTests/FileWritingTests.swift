import CleftFormats
import Foundation
import Testing

@Suite struct FileWritingTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileSystem.makeFolder(folder)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  @Test func twoWritersOfOneFileDoNotMix() throws {
    try withFolder { folder in
      let path = "\(folder)/a"
      try FileSystem.write(to: path) { outer in
        try outer.write(contentsOf: Data("outer".utf8))
        try FileSystem.write(Data("inner".utf8), to: path)
        #expect(try FileSystem.read(path) == Data("inner".utf8))
        try outer.write(contentsOf: Data(" done".utf8))
      }
      #expect(try FileSystem.read(path) == Data("outer done".utf8))
      #expect(FileSystem.list(folder) == ["a"])
    }
  }

  /// What is left of a kill, or of another machine's process of our number, is neither written to nor in the way.
  @Test func aNameThatIsTakenIsPassedOver() throws {
    try withFolder { folder in
      let path = "\(folder)/a"
      let next = FileSystem.partialPath(of: path)
      #expect(next.hasPrefix(path) && next.hasSuffix(".partial"))
      let stem = next.dropLast(".partial".count)
      let number = try #require(stem.split(separator: "-").last.flatMap { Int($0) })
      let taken = (1...200).map { "\(stem.dropLast("\(number)".count))\(number + $0).partial" }
      for name in taken { try Data("theirs".utf8).write(to: URL(fileURLWithPath: name)) }
      try FileSystem.write(Data("ours".utf8), to: path, isDurable: false)
      #expect(try FileSystem.read(path) == Data("ours".utf8))
      for name in taken { #expect(try FileSystem.read(name) == Data("theirs".utf8)) }
    }
  }

  @Test func failedWritesLeaveNothing() throws {
    try withFolder { folder in
      #expect(throws: FormatError.self) {
        try FileSystem.write(to: "\(folder)/a") { _ throws in throw CocoaError(.fileWriteOutOfSpace) }
      }
      #expect(FileSystem.list(folder).isEmpty)
    }
  }

  @Test func hugeDisksHaveAsManyBytesAsANumberHolds() throws {
    #expect(FileSystem.byteCount(blocks: 3, of: 4096) == 12_288)
    #expect(FileSystem.byteCount(blocks: 1 << 60, of: 4096) == .max)
    #expect(FileSystem.byteCount(blocks: 1 << 63, of: 1) == .max)
    #expect(try #require(FileSystem.freeBytes("/")) > 0)
  }
}
