import CleftFormats
import Foundation
import Testing

/// Fingerprints of files too large to wait for.
@Suite struct FingerprintTests {
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cleft-\(UUID().uuidString)")
      .path
    try FileSystem.makeFolder(folder)
    defer { FileSystem.remove(folder) }
    try body(folder)
  }

  /// A file larger than what is read at once; it takes no room on the disk.
  private func withLargeFile(_ body: (_ path: String, _ stamp: FileStamp) throws -> Void) throws {
    try withFolder { folder in
      let path = folder + "/large"
      try FileSystem.write(Data("large".utf8), to: path)
      let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      try handle.truncate(atOffset: 65 << 20)
      try handle.close()
      try body(path, try #require(FileStamp(of: path)))
    }
  }

  @Test func aSmallFileIsReadAtOnce() throws {
    try withFolder { folder in
      let path = folder + "/small"
      try FileSystem.write(Data("small".utf8), to: path)
      let stamp = try #require(FileStamp(of: path))
      try Fingerprints.prepare(path, stamp)
      FileSystem.remove(path)
      #expect(Fingerprints.known(path, stamp) == Checksum.of("small"))
    }
  }

  @Test func whoeverAsksWaitsForALargeFile() throws {
    try withLargeFile { path, stamp in
      #expect(Fingerprints.known(path, stamp) == nil)
      try Fingerprints.prepare(path, stamp)
      try Fingerprints.prepare(path, stamp)
      let first = Fingerprints.known(path, stamp)
      #expect(try first == Checksum.ofFile(path))
      FileSystem.remove(path)
      #expect(try Fingerprints.of(path, stamp) == first && Fingerprints.known(path, stamp) == first)
    }
  }

  @Test func aLargeFileThatChangesMeanwhileHasNoFingerprint() throws {
    try withLargeFile { path, stamp in
      let other = FileStamp(
        byteCount: stamp.byteCount, modifiedNanoseconds: 1, changedNanoseconds: 1, device: stamp.device,
        inode: stamp.inode)
      try Fingerprints.prepare(path, other)
      #expect(Fingerprints.known(path, other) == nil)
      #expect(throws: FormatError.self) { try Fingerprints.of(path, other) }
    }
  }
}
